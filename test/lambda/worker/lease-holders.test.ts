import fc from 'fast-check';
import { NO_USAGE } from '../../../lambda/runtime/limits/usage';
import type { Clock } from '../../../lambda/shared/clock';
import { type Lease, TaskLeases } from '../../../lambda/shared/tasks/task-leases';
import { Heartbeat } from '../../../lambda/worker/lease/heartbeat';
import { leaseTimes } from '../../../lambda/worker/lease/lease-times';
import { HEARTBEAT_MS, LEASE_MS, LEASE_SAFETY_MS } from '../../../lib/contract';
import { CapturedLog } from '../shared/support/fakes';
import { RELEASE, TASKS, TaskCloud } from './support/task-cloud';

const START = 1_800_000_000_000;
const TIMES = leaseTimes({});

/** Workers whose clocks differ by as much as the protocol allows. */
const SKEWS = [0, LEASE_SAFETY_MS / 2, LEASE_SAFETY_MS - 1];

let cloud: TaskCloud;

beforeAll(async () => {
  cloud = await TaskCloud.start();
});

afterAll(() => cloud.close());

/** A worker's clock: it wakes no sleeper while its process is frozen. */
class WorkerClock implements Clock {
  frozen = false;
  readonly #sleepers = new Set<{ readonly at: number; readonly wake: () => void }>();

  readonly #time: { now: number };
  readonly #skew: number;

  constructor(time: { now: number }, skew: number) {
    this.#time = time;
    this.#skew = skew;
  }

  now(): number {
    return this.#time.now + this.#skew;
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason);
        return;
      }
      const sleeper = {
        at: this.now() + milliseconds,
        wake: () => {
          this.#sleepers.delete(sleeper);
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      const onAbort = () => {
        this.#sleepers.delete(sleeper);
        reject(signal?.reason);
      };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Wakes who is to be woken by now; says whether there was anybody. */
  ring(): boolean {
    const due = this.frozen ? [] : [...this.#sleepers].filter(({ at }) => at <= this.now());
    for (const { wake } of due) {
      wake();
    }
    return due.length > 0;
  }
}

interface Holding {
  lease: Lease;
  readonly heartbeat: Heartbeat;
  readonly controller: AbortController;
}

class Workers {
  readonly time = { now: START };
  readonly clocks = SKEWS.map((skew) => new WorkerClock(this.time, skew));
  readonly holdings: (Holding | undefined)[] = SKEWS.map(() => undefined);
  readonly #log = new CapturedLog();
  /** Calls of heartbeats in progress. */
  #calls = 0;
  ends = 0;
  /** How the store meets renewals. */
  renewals: 'takes' | 'refuses' | 'hangs' = 'takes';

  constructor(readonly id: string) {}

  store(worker: number): TaskLeases {
    const clock = this.clocks[worker] as Clock;
    return new TaskLeases({
      client: cloud.documents,
      table: TASKS,
      release: RELEASE,
      retentionDays: 1,
      leaseMs: LEASE_MS,
      clock,
    });
  }

  async claim(worker: number): Promise<void> {
    const claim = await this.store(worker).claim(this.id, 'stable', undefined);
    if (claim.kind !== 'claimed') {
      return;
    }
    await this.holdings[worker]?.heartbeat.stop();
    const controller = new AbortController();
    const heartbeat = new Heartbeat(claim.lease, controller, {
      renew: async (lease, signal) => {
        if (this.renewals === 'hangs') {
          return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
        }
        this.#calls += 1;
        try {
          if (this.renewals === 'refuses') {
            throw new Error('away, says the test');
          }
          return await this.store(worker).renew(lease);
        } finally {
          this.#calls -= 1;
        }
      },
      extendVisibility: async () => {},
      isRevoked: async () => false,
      times: TIMES,
      clock: this.clocks[worker] as Clock,
      logger: this.#log,
    });
    this.holdings[worker] = { lease: claim.lease, heartbeat, controller };
  }

  /** A worker that is frozen does nothing; one that is not ends the task if it believes that it may. */
  async finish(worker: number): Promise<void> {
    const holding = this.holdings[worker];
    if (holding === undefined || this.clocks[worker]?.frozen === true || !holding.heartbeat.isLeaseHeld()) {
      return;
    }
    const end = { status: 'succeeded', usage: NO_USAGE, ranMs: 1, result: holding.lease.token } as const;
    const written = await this.store(worker).finish(holding.lease, end);
    expect(written.kind).toBe('written');
    this.ends += 1;
    await holding.heartbeat.stop();
    this.holdings[worker] = undefined;
  }

  async pass(milliseconds: number): Promise<void> {
    const end = this.time.now + milliseconds;
    while (this.time.now < end) {
      this.time.now = Math.min(end, this.time.now + 5_000);
      await this.settle();
    }
  }

  /** Lets everything happen that is due. */
  async settle(): Promise<void> {
    let idle = 0;
    while (idle < 2) {
      const rang = this.clocks.map((clock) => clock.ring()).includes(true);
      await new Promise((resolve) => setImmediate(resolve));
      idle = rang || this.#calls > 0 ? 0 : idle + 1;
    }
  }

  /** A worker that would continue has the task; a worker that runs without the task was told so. */
  async check(): Promise<void> {
    const record = await cloud.task(this.id);
    // First, because a worker that is asked notices by itself that its time is up.
    const told = this.holdings.map((holding) => holding?.controller.signal.aborted);
    const believers = this.holdings.filter((holding) => holding?.heartbeat.isLeaseHeld());
    expect(believers.length).toBeLessThanOrEqual(1);
    for (const believer of believers) {
      expect(record).toMatchObject({ status: 'running', lease: { token: believer?.lease.token } });
    }
    for (const [worker, holding] of this.holdings.entries()) {
      if (holding !== undefined && this.clocks[worker]?.frozen === false && !holding.heartbeat.isLeaseHeld()) {
        expect(told[worker]).toBe(true);
        expect(holding.controller.signal.reason).toMatchObject({ code: 'lease_lost' });
      }
    }
    expect(this.ends).toBe(record.status === 'succeeded' ? 1 : 0);
  }

  async close(): Promise<void> {
    await Promise.all(this.holdings.map((holding) => holding?.heartbeat.stop()));
  }
}

const worker = fc.nat(SKEWS.length - 1);

type Step =
  | { readonly act: 'claim' | 'finish' | 'freeze' | 'thaw'; readonly worker: number }
  | { readonly act: 'takes' | 'refuses' | 'hangs' }
  | { readonly act: 'wait'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ act: fc.constant('claim' as const), worker }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('finish' as const), worker }) },
  { weight: 3, arbitrary: fc.record({ act: fc.constantFrom('freeze' as const, 'thaw' as const), worker }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constantFrom('takes' as const, 'refuses' as const, 'hangs' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      act: fc.constant('wait' as const),
      ms: fc.constantFrom(5_000, HEARTBEAT_MS, LEASE_MS - LEASE_SAFETY_MS, LEASE_MS),
    }),
  },
);

test('of workers that keep a task by heartbeats, freeze, thaw and lose the store, one at most believes to have the task, and it has', async () => {
  const seen = { takenOver: 0, ended: 0, kept: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 20 }), async (steps) => {
      const { id } = await cloud.putTask({ createdAt: START });
      const workers = new Workers(id);
      try {
        for (const one of steps) {
          switch (one.act) {
            case 'claim':
              if (workers.clocks[one.worker]?.frozen === false) {
                await workers.claim(one.worker);
              }
              break;
            case 'finish':
              await workers.finish(one.worker);
              break;
            case 'freeze':
            case 'thaw':
              (workers.clocks[one.worker] as WorkerClock).frozen = one.act === 'freeze';
              await workers.settle();
              break;
            case 'takes':
            case 'refuses':
            case 'hangs':
              workers.renewals = one.act;
              break;
            case 'wait':
              await workers.pass(one.ms);
          }
          await workers.check();
        }
        const record = await cloud.task(id);
        seen.takenOver += record.attempts > 1 ? 1 : 0;
        seen.ended += workers.ends;
        seen.kept +=
          record.startedAt !== undefined && workers.time.now - record.startedAt > LEASE_MS && record.attempts === 1
            ? 1
            : 0;
      } finally {
        await workers.close();
      }
    }),
    {
      numRuns: 100,
      // A store that does not take renewals, and a second worker whose clock is ahead by nearly all that is allowed.
      examples: (['refuses', 'hangs'] as const).map((act): [Step[]] => [
        [
          { act: 'claim', worker: 0 },
          { act },
          { act: 'wait', ms: LEASE_MS - LEASE_SAFETY_MS },
          { act: 'wait', ms: 5_000 },
          { act: 'claim', worker: 2 },
        ],
      ]),
    },
  );
  // The runs were of all kinds.
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(0);
});
