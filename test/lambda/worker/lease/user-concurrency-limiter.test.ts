import fc from 'fast-check';
import { UserConcurrencyLimiter, type UserSlot } from '../../../../lambda/worker/lease/user-concurrency-limiter';
import { LEASE_MS } from '../../../../lib/contract';
import { TASKS, TaskCloud } from '../support/task-cloud';

const START = 1_800_000_000_000;
const TIMEOUT_SECONDS = 60;
const MAX = 3;

let cloud: TaskCloud;

beforeAll(async () => {
  cloud = await TaskCloud.start();
});

afterAll(() => cloud.close());

function inFlight(time: { now: number }): UserConcurrencyLimiter {
  return new UserConcurrencyLimiter({
    client: cloud.documents,
    table: TASKS,
    max: MAX,
    timeoutSeconds: TIMEOUT_SECONDS,
    leaseMs: LEASE_MS,
    clock: { now: () => tick(time), sleep: () => Promise.reject(new Error('it does not wait')) },
  });
}

/** No two moments are the same. */
function tick(time: { now: number }): number {
  time.now += 1;
  return time.now;
}

let users = 0;
const newUser = () => {
  users += 1;
  return `user-${users}`;
};

test('no more slots are given at once than there are, and no fewer', async () => {
  const time = { now: START };
  const slots = inFlight(time);
  const user = newUser();
  const taken = await Promise.all(Array.from({ length: 10 }, (_, n) => slots.acquire(user, `t-${n}`)));
  expect(taken.filter((slot) => slot !== undefined)).toHaveLength(MAX);
});

test('slots that are taken and left in any order, or run out, are never more than there are', async () => {
  const step = fc.oneof(
    fc.record({ act: fc.constant('take' as const), task: fc.nat(5) }),
    fc.record({ act: fc.constant('leave' as const), task: fc.nat(5) }),
    fc.record({ act: fc.constant('wait' as const), ms: fc.constantFrom(1_000, TIMEOUT_SECONDS * 1000 + LEASE_MS) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
      const time = { now: START };
      const slots = inFlight(time);
      const user = newUser();
      const held = new Map<number, UserSlot>();
      for (const one of steps) {
        // A slot that ran out is given away only when another task needs it; until then its task still has it.
        const full = [...held].filter(([task]) => !('task' in one) || task !== one.task);
        const running = full.filter(([, { expiresAt }]) => expiresAt >= time.now);
        switch (one.act) {
          case 'take': {
            const slot = await slots.acquire(user, `t-${one.task}`);
            expect(slot !== undefined).toBe(held.has(one.task) || running.length < MAX);
            expect(slot?.isNew).toBe(slot === undefined ? undefined : !held.has(one.task));
            if (slot !== undefined) {
              if (full.length >= MAX && slot.isNew) {
                for (const [task, { expiresAt }] of full) {
                  if (expiresAt < time.now) {
                    held.delete(task);
                  }
                }
              }
              held.set(one.task, slot);
            }
            break;
          }
          case 'leave': {
            const slot = held.get(one.task);
            if (slot !== undefined) {
              await slots.release(slot);
              held.delete(one.task);
            }
            break;
          }
          case 'wait':
            time.now += one.ms;
        }
        expect([...held.values()].filter(({ expiresAt }) => expiresAt >= time.now).length).toBeLessThanOrEqual(MAX);
      }
    }),
    { numRuns: 60 },
  );
});

test('a slot that was taken over is not left by the worker that had it before', async () => {
  const time = { now: START };
  const slots = inFlight(time);
  const user = newUser();
  const before = await slots.acquire(user, 't-1');
  time.now += 100_000;
  const found = await slots.acquire(user, 't-1');
  expect(found).toEqual({ ...before, isNew: false });
  const after = await slots.takeOver(found as UserSlot);
  expect(after.expiresAt).toBeGreaterThan((before?.expiresAt ?? 0) + 100_000);
  await slots.release(before as UserSlot);
  expect(await slots.acquire(user, 't-1')).toMatchObject({ isNew: false, expiresAt: after.expiresAt });
  await slots.release(after);
  expect(await slots.acquire(user, 't-1')).toMatchObject({ isNew: true });
});
