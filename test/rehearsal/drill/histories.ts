import { createHash } from 'node:crypto';
import type { TaskRecord } from '../../../lib/contract';
import type { DrillHistory, ReleaseHistory, Submission } from '../../../rehearsal/drill/report/history';

/** A day in the cloud: times of the histories below are minutes after it began. */
const START = Date.UTC(2026, 0, 5);
export const minute = (n: number) => START + n * 60_000;

export const STABLE = 'r-000000000001';
export const CANDIDATE = 'r-000000000002';

/** user-03 falls into bucket 300. */
export const bucketOf = (_version: string, user: string) => Number(user.slice(5)) * 100;
export const user = (n: number) => `user-${String(n).padStart(2, '0')}`;

export function task(
  overrides: Partial<TaskRecord> & { readonly user: string; readonly createdAt: number },
): TaskRecord {
  const id = `t-${createHash('md5').update(`${overrides.user}/${overrides.createdAt}`).digest('hex')}`;
  return {
    id,
    agent: 'support',
    status: 'succeeded',
    mode: 'live',
    lane: 'stable',
    priority: 'normal',
    requestDigest: 'd',
    input: {},
    release: STABLE,
    attempts: 1,
    startedAt: overrides.createdAt + 1000,
    finishedAt: overrides.createdAt + 2000,
    result: 'ok',
    expiresAt: 0,
    ...overrides,
  };
}

export function release(overrides: Partial<ReleaseHistory> = {}): ReleaseHistory {
  return {
    name: 'first',
    id: STABLE,
    expected: 'promoted',
    expectNoChanges: false,
    verdict: 'promoted',
    reason: 'created',
    promotedAfter: STABLE,
    first: true,
    changed: [],
    stackStatus: 'CREATE_COMPLETE',
    startedAt: minute(0),
    endedAt: minute(5),
    routerVersion: '1',
    valve: [{ share: 0, from: minute(0), to: Number.POSITIVE_INFINITY }],
    stoppedBy: [],
    gates: [],
    shiftSeconds: 0,
    candidateBacklog: 0,
    ...overrides,
  };
}

/** Shifts 10 % from minute 110 to 140 and is then rolled back. */
export function rolledBack(overrides: Partial<ReleaseHistory> = {}): ReleaseHistory {
  return release({
    name: 'second',
    id: CANDIDATE,
    expected: 'rolled_back',
    verdict: 'rolled_back',
    reason: 'alarm support-errors',
    first: false,
    startedAt: minute(100),
    endedAt: minute(150),
    routerVersion: '2',
    stackStatus: 'UPDATE_ROLLBACK_COMPLETE',
    stoppedBy: ['errors'],
    valve: [
      { share: 0, from: minute(100), to: minute(110) },
      { share: 0.1, from: minute(110), to: minute(140) },
      { share: 0, from: minute(140), to: Number.POSITIVE_INFINITY },
    ],
    ...overrides,
  });
}

/** Shifts 10 % from minute 110, all from 140, promoted at 150. */
export function promoted(overrides: Partial<ReleaseHistory> = {}): ReleaseHistory {
  return rolledBack({
    expected: 'promoted',
    verdict: 'promoted',
    reason: 'promoted',
    promotedAfter: CANDIDATE,
    stackStatus: 'UPDATE_COMPLETE',
    stoppedBy: [],
    valve: [
      { share: 0, from: minute(100), to: minute(110) },
      { share: 0.1, from: minute(110), to: minute(140) },
      { share: 1, from: minute(140), to: minute(150) },
      { share: 0, from: minute(150), to: Number.POSITIVE_INFINITY },
    ],
    ...overrides,
  });
}

export function history(overrides: Partial<DrillHistory> = {}): DrillHistory {
  const tasks = overrides.tasks ?? [];
  return {
    agent: 'support',
    speed: 60,
    handlerNode: { version: '24.1.0', runtimes: ['nodejs24.x'] },
    submissions: tasks.map(
      (item, sequence): Submission => ({ sequence, user: item.user, at: item.createdAt, status: 202, taskId: item.id }),
    ),
    tasks,
    releases: [release()],
    resultsWritten: tasks.length,
    recordedReleases: [STABLE, CANDIDATE],
    reads: [],
    authorization: { calls: 10, denied: [] },
    refusedCalls: {},
    alarms: [{ name: 'support-errors', hadData: true }],
    provider: { requests: 5, unmatched: 0 },
    malformedMetricLines: { count: 0, examples: [] },
    cancellations: [],
    webhooks: [],
    ends: tasks.map(({ id }) => ({ taskId: id, ends: 1, redrives: 0 })),
    deadLetters: [],
    faults: undefined,
    steps: undefined,
    traces: { checked: tasks.length, mismatched: [], incomplete: [] },
    destruction: { completed: true, failures: [], leftovers: [], retained: [] },
    bucketOf,
    ...overrides,
  };
}
