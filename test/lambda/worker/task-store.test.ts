import fc from 'fast-check';
import { NOTHING_USED } from '../../../lambda/runtime/usage';
import { type Lease, TaskStore } from '../../../lambda/worker/task-store';
import { FINAL_STATUSES } from '../../../lib/contract';
import { RELEASE, TASKS, TaskCloud } from './support/task-cloud';

const TIMEOUT_SECONDS = 60;
const START = 1_800_000_000_000;

let cloud: TaskCloud;

beforeAll(async () => {
  cloud = await TaskCloud.start();
});

afterAll(() => cloud.close());

/** Cloud time, moved by the test alone. */
class HandClock {
  time = START;
  now = () => this.time;
  sleep = () => Promise.reject(new Error('the store does not wait'));
}

function storeAt(clock: HandClock): TaskStore {
  return new TaskStore({
    client: cloud.documents,
    table: TASKS,
    release: RELEASE,
    timeoutSeconds: TIMEOUT_SECONDS,
    retentionDays: 1,
    clock,
  });
}

/** What may happen to a task, in any order. Both workers keep a lease they once had, however late it is. */
const stepArbitrary = fc.oneof(
  fc.record({ act: fc.constantFrom('claim' as const, 'finish' as const, 'giveBack' as const), worker: fc.nat(1) }),
  fc.record({ act: fc.constant('failAbandoned' as const), worker: fc.nat(1) }),
  fc.record({ act: fc.constant('wait' as const), worker: fc.constant(0), seconds: fc.constantFrom(1, 40, 80) }),
);

describe('two workers with one task', () => {
  test('in any interleaving of claims, ends, returns and lost leases write its end exactly once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(stepArbitrary, { minLength: 2, maxLength: 14 }), async (steps) => {
        const clock = new HandClock();
        const store = storeAt(clock);
        const { id } = await cloud.putTask({ createdAt: START });
        const leases: (Lease | undefined)[] = [undefined, undefined];
        const ends: string[] = [];

        const claim = async (worker: number) => {
          const claimed = await store.claim(id, undefined);
          if (claimed.kind === 'claimed') {
            leases[worker] = claimed.lease;
          }
        };
        const finish = async (worker: number) => {
          const lease = leases[worker];
          if (lease !== undefined) {
            const result = `${worker}:${lease.token}`;
            const { kind } = await store.finish(lease, { status: 'succeeded', usage: NOTHING_USED, result });
            if (kind === 'written') {
              ends.push(result);
            }
          }
        };

        for (const step of steps) {
          switch (step.act) {
            case 'claim':
              await claim(step.worker);
              break;
            case 'finish':
              await finish(step.worker);
              break;
            case 'giveBack': {
              const lease = leases[step.worker];
              if (lease !== undefined) {
                await store.giveBack(lease, NOTHING_USED);
              }
              break;
            }
            case 'failAbandoned':
              if ((await store.failAbandoned(id, { code: 'lost', message: 'lost' })) !== undefined) {
                ends.push('lost');
              }
              break;
            case 'wait':
              clock.time += step.seconds * 1000;
          }
          expect(ends.length).toBeLessThanOrEqual(1);
        }

        // Whatever happened: one more delivery after the last lease has run out brings the task to its end.
        clock.time += 2 * TIMEOUT_SECONDS * 1000;
        await claim(0);
        await finish(0);
        await claim(1);
        await finish(1);
        expect(ends).toHaveLength(1);
        const record = await cloud.task(id);
        expect(FINAL_STATUSES).toContain(record.status);
        expect(record.result ?? 'lost').toBe(ends[0]);
      }),
      { numRuns: 150 },
    );
  });

  test('that claim at the same moment: one gets it, the other sees that it is held', async () => {
    for (let round = 0; round < 20; round += 1) {
      const clock = new HandClock();
      const { id } = await cloud.putTask();
      const claims = await Promise.all([storeAt(clock).claim(id, undefined), storeAt(clock).claim(id, undefined)]);
      expect(claims.map(({ kind }) => kind).sort()).toEqual(['claimed', 'held']);
      expect((await cloud.task(id)).attempts).toBe(1);
    }
  });
});

describe('a lease', () => {
  test('lasts longer than its function can run, and less than the queue hides the message', async () => {
    const clock = new HandClock();
    const { id } = await cloud.putTask();
    await storeAt(clock).claim(id, undefined);
    const { lease } = await cloud.task(id);
    const seconds = ((lease?.expiresAt ?? 0) - START) / 1000;
    expect(seconds).toBeGreaterThan(TIMEOUT_SECONDS);
    expect(seconds).toBeLessThan(TIMEOUT_SECONDS + 60);
  });

  test('that has run out can be taken over, unless the caller does not want to', async () => {
    const clock = new HandClock();
    const store = storeAt(clock);
    const { id } = await cloud.putTask();
    await store.claim(id, undefined);
    expect(await store.claim(id, undefined)).toEqual({ kind: 'held', expired: false });
    clock.time += 2 * TIMEOUT_SECONDS * 1000;
    expect(await store.claim(id, undefined, false)).toEqual({ kind: 'held', expired: true });
    expect(await store.claim(id, undefined)).toMatchObject({
      kind: 'claimed',
      task: { attempts: 2, startedAt: START },
    });
  });
});
