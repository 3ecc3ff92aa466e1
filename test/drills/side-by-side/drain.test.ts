import { DRILL_TIMEOUT_MS, runContainerDrill, verdicts } from '../run-named-drill';

test(
  'drain: tasks longer than the stop timeout survive a deployment, and resume on another worker when theirs is stopped',
  async () => {
    const [report, workers] = await runContainerDrill('drain');
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
