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

const PLAN = { lane: 'stable', floor: 2, max: 6, firstWithinSeconds: 180 } as const;

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

describe('lanes-follow-the-load', () => {
  const NAME = 'lanes-follow-the-load';

  test('holds for workers that come, are as many as may be, and go', () => {
    expect(detail(drill(scaled([2, 4, 6, 4, 2, 0])), NAME)).toBe(
      'held: 0 → 2 → 4 → 6 → 4 → 2 → 0; the first after 120 s, in 2 zones',
    );
  });

  test('is not judged where nothing of the kind is asked for', () => {
    const { scaling: _, ...workers } = scaled([2, 1, 2, 1]);
    expect(detail(drill(workers), NAME)).toMatch(/^held: not judged/);
    expect(detail(history(), NAME)).toMatch(/^held: not judged/);
  });

  test('does not count what was before the load', () => {
    const workers = scaled([2, 6, 0]);
    const before = { lane: 'stable', at: minute(40), from: 1, to: 0, cause: 'created with one' };
    expect(finding(drill({ ...workers, scalings: [before, ...workers.scalings] }), NAME)?.held).toBe(true);
  });

  test('fails for workers that come and go while the load grows, or come back while it goes', () => {
    expect(detail(drill(scaled([2, 4, 2, 6, 0])), NAME)).toBe('it flapped: 0 → 2 → 4 → 2 → 6 → 0');
    expect(detail(drill(scaled([2, 6, 2, 4, 0])), NAME)).toBe('it flapped: 0 → 2 → 6 → 2 → 4 → 0');
  });

  test('fails for fewer or more than the most, and for one alone', () => {
    expect(detail(drill(scaled([2, 4, 0])), NAME)).toBe('at most 4 workers were asked for, expected 6');
    expect(detail(drill(scaled([2, 8, 0])), NAME)).toBe('at most 8 workers were asked for, expected 6');
    expect(detail(drill(scaled([1, 6, 0])), NAME)).toBe('down to 1 of 2');
  });

  test('fails for a first worker that comes late or never', () => {
    const late = scaled([6, 0], { runs: [run('a', { startedAt: minute(55) }), run('b', { startedAt: minute(56) })] });
    expect(detail(drill(late), NAME)).toBe('the first worker ran after 300 s, expected 180 s at most');
    const never = scaled([6, 0], { runs: [run('a', { startedAt: undefined }), run('b', { startedAt: minute(40) })] });
    expect(detail(drill(never), NAME)).toMatch(/^no worker came; all workers were in no zone$/);
  });

  test('fails for workers in one zone, and for some that are left', () => {
    const crowded = scaled([6, 0], { runs: [run('a'), run('c', { zone: 'us-east-1a' })] });
    expect(detail(drill(crowded), NAME)).toBe('all workers were in us-east-1a');
    const left = scaled([6, 2], { scaling: { ...PLAN, loadFrom: minute(50), idleAt: undefined } });
    expect(detail(drill(left), NAME)).toBe('workers were left when the load was long over');
  });
});

describe('busy-workers-stay', () => {
  const NAME = 'busy-workers-stay';

  test('holds while nothing is handed back and nothing abandoned', () => {
    expect(detail(drill(scaled([2, 6, 0])), NAME)).toBe('held: 2 of 2 workers ended by deployments and scaling');
  });

  test('fails for a task that was handed back or abandoned', () => {
    expect(detail(drill(scaled([2, 6, 0], { requeued: 1 })), NAME)).toBe('1 task handed back');
    expect(detail(drill(scaled([2, 6, 0], { abandoned: 2 })), NAME)).toBe('2 attempts abandoned');
  });

  test('allows for leases that run out at workers that live, on a busy machine', () => {
    const tasks = Array.from({ length: 40 }, () => task({ user: user(3), createdAt: minute(50) }));
    const judged = (abandoned: number, late: number) =>
      detail(drill(scaled([2, 6, 0], { abandoned, late }), { tasks }), NAME);
    expect(judged(2, 2)).toMatch(/^held: /);
    // Late as well as handed over once more: still nobody vanished.
    expect(judged(1, 2)).toMatch(/^held: /);
  });

  test('fails for more of them, and for a worker that vanished beside them', () => {
    const tasks = Array.from({ length: 40 }, () => task({ user: user(3), createdAt: minute(50) }));
    const judged = (abandoned: number, late: number) =>
      detail(drill(scaled([2, 6, 0], { abandoned, late }), { tasks }), NAME);
    expect(judged(3, 3)).toBe('3 results came after the lease: workers were too slow');
    expect(judged(3, 2)).toBe('1 attempt abandoned');
  });

  test('counts only what was before workers were told to stop', () => {
    const stops = { workers: 2, everySeconds: 60, told: 2, requeuedBefore: 0 };
    expect(finding(drill(scaled([2, 6, 0], { requeued: 3, stops })), NAME)?.held).toBe(true);
    const early = { ...stops, requeuedBefore: 1 };
    expect(detail(drill(scaled([2, 6, 0], { requeued: 3, stops: early })), NAME)).toBe('1 task handed back');
  });

  test('is not judged where workers are interrupted on purpose', () => {
    const faults = { injected: 1, byKind: { workersKilled: 1 }, byTarget: {} };
    expect(detail(drill(scaled([2], { abandoned: 1 }), { faults }), NAME)).toMatch(/^held: not judged/);
  });
});

describe('told-workers-hand-back', () => {
  const NAME = 'told-workers-hand-back';
  const stops = { workers: 2, everySeconds: 60, told: 2, requeuedBefore: 0 };
  const resumed = [task({ user: user(3), createdAt: minute(50), attempts: 2 })];

  test('holds when what was handed back was finished by others', () => {
    expect(detail(drill(scaled([2], { requeued: 3, stops }), { tasks: resumed }), NAME)).toBe(
      'held: 2 workers told, 3 tasks handed back, 1 finished by others',
    );
  });

  test('fails when nobody was told, nothing handed back, nothing resumed, or something left behind', () => {
    expect(detail(drill(scaled([2], { requeued: 1, stops: { ...stops, told: 1 } }), { tasks: resumed }), NAME)).toBe(
      '1 of 2 workers were told to stop',
    );
    expect(detail(drill(scaled([2], { stops }), { tasks: resumed }), NAME)).toBe('no task was handed back');
    expect(detail(drill(scaled([2], { requeued: 1, stops })), NAME)).toBe('no task was finished by another worker');
    expect(detail(drill(scaled([2], { requeued: 1, abandoned: 1, stops }), { tasks: resumed }), NAME)).toBe(
      '1 attempt abandoned',
    );
  });
});

test('the report says what became of the workers, and shows each change of their count', () => {
  const report = buildReport(drill(scaled([2, 6, 0], { requeued: 1 })), RUN);
  expect(report.workers).toMatchObject({
    started: 2,
    stopped: { ServiceSchedulerInitiated: 2 },
    requeued: 1,
    secondsToFirst: 120,
  });
  expect(report.workers?.scaling[1]).toEqual({ lane: 'stable', second: 120, from: 2, to: 6, cause: 'the alarm' });
  expect(renderReport(report, styleFor({ isTTY: false }, {}))).toContain(
    [
      'workers     2 started, 2 ServiceSchedulerInitiated',
      '            1 task handed back, 0 attempts abandoned, 0 results too late',
      '            the first ran 120 s after the first task',
      '  stable  60 s   0 → 2  the alarm',
      '  stable  120 s  2 → 6  the alarm',
      '  stable  180 s  6 → 0  the alarm',
    ].join('\n'),
  );
  expect(buildReport(history(), RUN).workers).toBeUndefined();
});
