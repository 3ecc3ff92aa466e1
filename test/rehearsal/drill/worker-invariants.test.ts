import { checkInvariants } from '../../../rehearsal/drill/invariants';
import type { DrillHistory, WorkerRun, WorkersHistory } from '../../../rehearsal/drill/report/history';
import { buildReport } from '../../../rehearsal/drill/report/report';
import { styleFor } from '../../../rehearsal/drill/report/style';
import { renderReport } from '../../../rehearsal/drill/report/table';
import { history, minute, task, user } from './histories';

const RUN = { scenario: 'scaling', seed: 1, wallSeconds: 60 };

const run = (id: string, overrides: Partial<WorkerRun> = {}): WorkerRun => ({
  id,
  lane: 'stable',
  zone: `us-east-1${id}`,
  createdAt: minute(51),
  startedAt: minute(52),
  stoppedAt: minute(70),
  stopCode: 'ServiceSchedulerInitiated',
  ...overrides,
});

const scaling = (...counts: number[]): WorkersHistory['scalings'] =>
  counts.map((to, index) => ({
    lane: 'stable',
    at: minute(51 + index),
    from: counts[index - 1] ?? 0,
    to,
    cause: 'the alarm',
  }));

const PLAN = { lane: 'stable', minWorkers: 2, maxWorkers: 6, maxSecondsToFirstWorker: 180 } as const;

const scaled = (counts: readonly number[], overrides: Partial<WorkersHistory> = {}): WorkersHistory => ({
  runs: [run('a'), run('b')],
  scalings: scaling(...counts),
  requeued: 0,
  abandoned: 0,
  late: 0,
  scaling: { ...PLAN, loadFrom: minute(50), idleAt: minute(80) },
  ...overrides,
});

const drill = (workers: WorkersHistory, overrides: Partial<DrillHistory> = {}) =>
  history({ tasks: [task({ user: user(3), createdAt: minute(50) })], workers, ...overrides });

const finding = (found: DrillHistory, name: string) =>
  checkInvariants(found).find((invariant) => invariant.name === name);

const detail = (found: DrillHistory, name: string): string => {
  const { held, detail: text } = finding(found, name) ?? { held: true, detail: 'no such invariant' };
  return held ? `held: ${text}` : text;
};

describe('workers-scale-with-load', () => {
  const NAME = 'workers-scale-with-load';

  test('holds when the count rises to the maximum and falls to zero', () => {
    expect(detail(drill(scaled([2, 4, 6, 4, 2, 0])), NAME)).toBe(
      'held: 0 → 2 → 4 → 6 → 4 → 2 → 0; first worker after 120 s, in 2 zones',
    );
  });

  test('is not checked when the scenario has no scaling', () => {
    const { scaling: _, ...workers } = scaled([2, 1, 2, 1]);
    expect(detail(drill(workers), NAME)).toMatch(/^held: not checked/);
    expect(detail(history(), NAME)).toMatch(/^held: not checked/);
  });

  test('ignores changes before the load', () => {
    const workers = scaled([2, 6, 0]);
    const before = { lane: 'stable', at: minute(40), from: 1, to: 0, cause: 'created with one worker' };
    expect(finding(drill({ ...workers, scalings: [before, ...workers.scalings] }), NAME)?.held).toBe(true);
  });

  test('fails when the count falls while the load grows, or rises while it shrinks', () => {
    expect(detail(drill(scaled([2, 4, 2, 6, 0])), NAME)).toBe('the desired count flapped: 0 → 2 → 4 → 2 → 6 → 0');
    expect(detail(drill(scaled([2, 6, 2, 4, 0])), NAME)).toBe('the desired count flapped: 0 → 2 → 6 → 2 → 4 → 0');
  });

  test('fails when the count does not reach the maximum, exceeds it, or is below the minimum', () => {
    expect(detail(drill(scaled([2, 4, 0])), NAME)).toBe('the desired count reached 4, expected 6');
    expect(detail(drill(scaled([2, 8, 0])), NAME)).toBe('the desired count reached 8, expected 6');
    expect(detail(drill(scaled([1, 6, 0])), NAME)).toBe('the desired count fell to 1, expected at least 2');
  });

  test('fails when the first worker runs late or never', () => {
    const late = scaled([6, 0], { runs: [run('a', { startedAt: minute(55) }), run('b', { startedAt: minute(56) })] });
    expect(detail(drill(late), NAME)).toBe('the first worker ran after 300 s, expected at most 180 s');
    const never = scaled([6, 0], { runs: [run('a', { startedAt: undefined }), run('b', { startedAt: minute(40) })] });
    expect(detail(drill(never), NAME)).toMatch(/^no worker started; all workers ran in no zone$/);
  });

  test('fails for workers in one zone, and for workers that remain', () => {
    const crowded = scaled([6, 0], { runs: [run('a'), run('c', { zone: 'us-east-1a' })] });
    expect(detail(drill(crowded), NAME)).toBe('all workers ran in us-east-1a');
    const left = scaled([6, 2], { scaling: { ...PLAN, loadFrom: minute(50), idleAt: undefined } });
    expect(detail(drill(left), NAME)).toBe('workers still ran long after the end of the load');
  });
});

describe('busy-workers-not-stopped', () => {
  const NAME = 'busy-workers-not-stopped';

  test('holds when no task is requeued and no attempt abandoned', () => {
    expect(detail(drill(scaled([2, 6, 0])), NAME)).toBe('held: 2 of 2 workers stopped by deployments and scaling');
  });

  test('fails for a requeued task and for an abandoned attempt', () => {
    expect(detail(drill(scaled([2, 6, 0], { requeued: 1 })), NAME)).toBe('1 task requeued');
    expect(detail(drill(scaled([2, 6, 0], { abandoned: 2 })), NAME)).toBe('2 attempts abandoned');
  });

  test('allows some leases to expire at live workers, on a busy machine', () => {
    const tasks = Array.from({ length: 40 }, () => task({ user: user(3), createdAt: minute(50) }));
    const judged = (abandoned: number, late: number) =>
      detail(drill(scaled([2, 6, 0], { abandoned, late }), { tasks }), NAME);
    expect(judged(2, 2)).toMatch(/^held: /);
    // A result can be late and its task taken over again: no worker is lost.
    expect(judged(1, 2)).toMatch(/^held: /);
  });

  test('fails for more late results, and for a lost worker in addition', () => {
    const tasks = Array.from({ length: 40 }, () => task({ user: user(3), createdAt: minute(50) }));
    const judged = (abandoned: number, late: number) =>
      detail(drill(scaled([2, 6, 0], { abandoned, late }), { tasks }), NAME);
    expect(judged(3, 3)).toBe('3 results arrived after the lease expired: workers were too slow');
    expect(judged(3, 2)).toBe('1 attempt abandoned');
  });

  test('counts only tasks that were requeued before the first worker was stopped', () => {
    const workerStops = { count: 2, intervalSeconds: 60, stopped: 2, requeuedBefore: 0 };
    expect(finding(drill(scaled([2, 6, 0], { requeued: 3, workerStops })), NAME)?.held).toBe(true);
    const early = { ...workerStops, requeuedBefore: 1 };
    expect(detail(drill(scaled([2, 6, 0], { requeued: 3, workerStops: early })), NAME)).toBe('1 task requeued');
  });

  test('is not checked when the scenario interrupts workers', () => {
    const faults = { injected: 1, byKind: { workersKilled: 1 }, byTarget: {} };
    expect(detail(drill(scaled([2], { abandoned: 1 }), { faults }), NAME)).toMatch(/^held: not checked/);
  });
});

describe('stopped-workers-requeue', () => {
  const NAME = 'stopped-workers-requeue';
  const workerStops = { count: 2, intervalSeconds: 60, stopped: 2, requeuedBefore: 0 };
  const resumed = [task({ user: user(3), createdAt: minute(50), attempts: 2 })];

  test('holds when another worker finished the requeued tasks', () => {
    expect(detail(drill(scaled([2], { requeued: 3, workerStops }), { tasks: resumed }), NAME)).toBe(
      'held: 2 workers stopped, 3 tasks requeued, 1 finished by another worker',
    );
  });

  test('fails when too few workers were stopped, no task was requeued, none was finished elsewhere, or one was abandoned', () => {
    expect(
      detail(
        drill(scaled([2], { requeued: 1, workerStops: { ...workerStops, stopped: 1 } }), { tasks: resumed }),
        NAME,
      ),
    ).toBe('1 of 2 workers were stopped');
    expect(detail(drill(scaled([2], { workerStops }), { tasks: resumed }), NAME)).toBe('no task was requeued');
    expect(detail(drill(scaled([2], { requeued: 1, workerStops })), NAME)).toBe(
      'no task was finished by another worker',
    );
    expect(detail(drill(scaled([2], { requeued: 1, abandoned: 1, workerStops }), { tasks: resumed }), NAME)).toBe(
      '1 attempt abandoned',
    );
  });
});

test('the report has the workers, and each change of their desired count', () => {
  const report = buildReport(drill(scaled([2, 6, 0], { requeued: 1 })), RUN);
  expect(report.workers).toMatchObject({
    started: 2,
    stopped: { ServiceSchedulerInitiated: 2 },
    requeued: 1,
    secondsToFirstWorker: 120,
  });
  expect(report.workers?.scaling[1]).toEqual({ lane: 'stable', second: 120, from: 2, to: 6, cause: 'the alarm' });
  expect(renderReport(report, styleFor({ isTTY: false }, {}))).toContain(
    [
      'workers     2 started, 2 ServiceSchedulerInitiated',
      '            1 task requeued, 0 attempts abandoned, 0 late results',
      '            first worker ran 120 s after the first task',
      '  stable  60 s   0 → 2  the alarm',
      '  stable  120 s  2 → 6  the alarm',
      '  stable  180 s  6 → 0  the alarm',
    ].join('\n'),
  );
  expect(buildReport(history(), RUN).workers).toBeUndefined();
});
