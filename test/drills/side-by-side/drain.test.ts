import { runInContainers } from '../containers';
import { DRILL_TIMEOUT_MS, verdicts } from '../run-named-drill';

test(
  'drain: tasks longer than the stop timeout outlive a deployment, and go on elsewhere where a worker is told to stop',
  async () => {
    const [report, workers] = await runInContainers('drain');
    expect(verdicts(report)).toEqual({ first: 'promoted', second: 'promoted' });
    expect(report.tasks.succeeded).toBe(report.tasks.submitted);
    expect(workers.stopped).toMatchObject({ UserInitiated: 3 });
    expect(workers.stopped.ServiceSchedulerInitiated).toBeGreaterThan(0);
    expect(workers.requeued).toBeGreaterThan(0);
    expect(report.steps?.replayed).toBeGreaterThan(0);
    expect(report.steps?.executedAfterFinish).toBe(0);
  },
  DRILL_TIMEOUT_MS,
);
