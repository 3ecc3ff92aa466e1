import { LONG_DRILL_TIMEOUT_MS, runContainerDrill, verdicts } from '../run-named-drill';

const TASKS = 400;

/** Kinds of faults that every run injects. Deliveries to functions are too few. */
const INJECTED_KINDS = [
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
  'fargate-chaos: every task ends once while its container is killed, frozen or stopped',
  async () => {
    const [report, workers] = await runContainerDrill('fargate-chaos', TASKS);
    expect(report.tasks.submitted).toBeGreaterThanOrEqual(TASKS);
    expect(report.steps?.executedAfterFinish).toBe(0);
    expect(report.steps?.replayed).toBeGreaterThan(0);
    expect(verdicts(report)).toEqual({ good: 'promoted', unlucky: 'rolled_back', better: 'promoted' });
    expect(INJECTED_KINDS.filter((kind) => !report.faults?.byKind[kind])).toEqual([]);
    expect(workers.requeued).toBeGreaterThan(0);
  },
  LONG_DRILL_TIMEOUT_MS,
);
