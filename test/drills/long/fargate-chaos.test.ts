import { runInContainers } from '../containers';
import { LONG_DRILL_TIMEOUT_MS, verdicts } from '../run-named-drill';

const TASKS = 400;

/** Deliveries to functions are too few here to count on. */
const STRIKING = [
  'throttled',
  'failed',
  'answersLost',
  'unanswered',
  'delayed',
  'workersKilled',
  'workersFrozen',
  'workersStopped',
  'heartbeatsHeld',
] as const;

test(
  'fargate-chaos: every task comes to one end while the containers that run several are killed, frozen and told to stop',
  async () => {
    const [report, workers] = await runInContainers('fargate-chaos', TASKS);
    expect(report.tasks.submitted).toBeGreaterThanOrEqual(TASKS);
    expect(report.steps?.executedAfterFinish).toBe(0);
    expect(report.steps?.replayed).toBeGreaterThan(0);
    expect(verdicts(report)).toEqual({ good: 'promoted', unlucky: 'rolled_back', better: 'promoted' });
    expect(STRIKING.filter((kind) => !report.faults?.byKind[kind])).toEqual([]);
    expect(workers.requeued).toBeGreaterThan(0);
  },
  LONG_DRILL_TIMEOUT_MS,
);
