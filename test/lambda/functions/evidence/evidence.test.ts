import { gatherEvidence } from '../../../../lambda/functions/evidence/evidence';
import type { RolloutItem } from '../../../../lib/contract';
import { awsError, FakeClock, START } from '../../shared/support/fakes';

const RELEASE = 'r-0123456789ab';
const rollout: RolloutItem = {
  id: 'rollout-1',
  target: { release: RELEASE, workerVersion: '2', routerVersion: '2' },
  status: 'in_progress',
  startedAt: START - 600_000,
};

async function gather(
  finished: (waited: number) => number,
  { minTasks = 20, found = [rollout] }: { minTasks?: number; found?: readonly RolloutItem[] } = {},
) {
  const clock = new FakeClock();
  const ranges: (readonly [number, number])[] = [];
  const verdict = await gatherEvidence({
    release: RELEASE,
    minTasks,
    waitSeconds: 120,
    rollout: async () => found[0],
    countFinished: async (from, to) => {
      ranges.push([from, to]);
      return finished(clock.time - START);
    },
    clock,
  });
  return { clock, ranges, verdict };
}

test.each([20, 1_000])('%d of 20 tasks are enough, at once', async (finished) => {
  const { ranges, verdict } = await gather(() => finished);
  expect(verdict).toMatchObject({ passed: true, details: { finished, minTasks: 20 } });
  expect(ranges).toEqual([[rollout.startedAt, START]]);
});

test('metrics that arrive late are waited for', async () => {
  const { clock, verdict } = await gather((waited) => (waited >= 90_000 ? 25 : 19));
  expect(verdict.passed).toBe(true);
  expect(clock.time - START).toBe(90_000);
});

test.each([0, 3, 19])('fails with %d of at least 20 tasks, after waiting', async (finished) => {
  const { clock, verdict } = await gather(() => finished);
  expect(verdict.passed).toBe(false);
  expect(verdict.reason).toContain(`not enough evidence: ${finished} of at least 20 tasks`);
  expect(verdict.reason).toContain(RELEASE);
  expect(clock.time - START).toBe(120_000);
});

test('a rollout that asks for none needs none', async () => {
  const { ranges, verdict } = await gather(() => 0, { minTasks: 0, found: [] });
  expect(verdict.passed).toBe(true);
  expect(ranges).toEqual([]);
});

test.each<[string, readonly RolloutItem[], string]>([
  ['no rollout', [], 'has no rollout'],
  ['a rollout that was rolled back', [{ ...rollout, status: 'rolled_back' }], 'with status rolled_back'],
  [
    'a rollout of another release',
    [{ ...rollout, target: { ...rollout.target, release: 'r-000000000000' } }],
    'a rollout of r-000000000000',
  ],
])('fails when the control table has %s', async (_, found, reason) => {
  const { verdict } = await gather(() => 1_000, { found });
  expect(verdict).toMatchObject({ passed: false, reason: expect.stringContaining(reason) });
});

test('a table or metrics that are away for a moment are asked again', async () => {
  const clock = new FakeClock();
  const outage = awsError('ThrottlingException');
  const meets: Error[] = [outage, outage, outage];
  const meet = async <T>(answer: T): Promise<T> => {
    const error = meets.pop();
    if (error !== undefined) {
      throw error;
    }
    meets.push(...(answer === rollout ? [outage] : []));
    return answer;
  };
  const verdict = await gatherEvidence({
    release: RELEASE,
    minTasks: 20,
    waitSeconds: 120,
    rollout: () => meet(rollout),
    countFinished: () => meet(20),
    clock,
  });
  expect(verdict.passed).toBe(true);
  expect(clock.slept).toHaveLength(4);
});

test('fails when the metrics stay away', async () => {
  const denied = awsError('AccessDenied');
  await expect(
    gather(() => {
      throw denied;
    }),
  ).rejects.toBe(denied);
  await expect(
    gather(() => {
      throw awsError('ThrottlingException');
    }),
  ).rejects.toThrow('ThrottlingException');
});
