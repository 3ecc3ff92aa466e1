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

/** What the record must say, told from the steps alone. */
interface Model {
  status: 'queued' | 'running' | 'final';
  /** Lease that counts, and when it runs out. */
  holder: Lease | undefined;
  leaseEnds: number;
  end: string | undefined;
}

describe('two workers with one task', () => {
  test('in any interleaving of claims, ends, returns and lost leases write its end exactly once, under the lease that counts', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(stepArbitrary, { minLength: 2, maxLength: 14 }), async (steps) => {
        const clock = new HandClock();
        const store = storeAt(clock);
        const { id } = await cloud.putTask({ createdAt: START });
        const leases: (Lease | undefined)[] = [undefined, undefined];
        const model: Model = { status: 'queued', holder: undefined, leaseEnds: 0, end: undefined };
        const expired = () => model.status === 'running' && model.leaseEnds < clock.time;

        const claim = async (worker: number) => {
          const free = model.status === 'queued' || expired();
          const claimed = await store.claim(id, undefined);
          expect(claimed.kind).toBe(free ? 'claimed' : model.status === 'final' ? 'final' : 'held');
          if (claimed.kind === 'claimed') {
            leases[worker] = claimed.lease;
            model.status = 'running';
            model.holder = claimed.lease;
            model.leaseEnds = claimed.task.lease?.expiresAt ?? 0;
          }
        };
        const finish = async (worker: number) => {
          const lease = leases[worker];
          if (lease === undefined) {
            return;
          }
          const counts = model.status === 'running' && model.holder === lease;
          const result = `${worker}:${lease.token}`;
          const { kind } = await store.finish(lease, { status: 'succeeded', usage: NOTHING_USED, result });
          expect(kind).toBe(counts ? 'written' : 'lost');
          if (kind === 'written') {
            model.status = 'final';
            model.end = result;
          }
        };
        const giveBack = async (worker: number) => {
          const lease = leases[worker];
          if (lease === undefined) {
            return;
          }
          const counts = model.status === 'running' && model.holder === lease;
          const { kind } = await store.giveBack(lease, NOTHING_USED);
          expect(kind).toBe(counts ? 'written' : 'lost');
          if (kind === 'written') {
            model.status = 'queued';
            model.holder = undefined;
          }
        };
        const failAbandoned = async () => {
          const abandoned = expired();
          const failed = await store.failAbandoned(id, { code: 'lost', message: 'lost' });
          expect(failed !== undefined).toBe(abandoned);
          if (failed !== undefined) {
            model.status = 'final';
            model.end = 'lost';
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
            case 'giveBack':
              await giveBack(step.worker);
              break;
            case 'failAbandoned':
              await failAbandoned();
              break;
            case 'wait':
              clock.time += step.seconds * 1000;
          }
        }

        // Whatever happened: deliveries after the last lease has run out bring the task to its end.
        clock.time += 2 * TIMEOUT_SECONDS * 1000;
        for (const worker of [0, 1]) {
          await claim(worker);
          await finish(worker);
        }
        const record = await cloud.task(id);
        expect(FINAL_STATUSES).toContain(record.status);
        expect(record.result ?? record.error?.code).toBe(model.end);
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
