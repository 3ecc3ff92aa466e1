import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { type DynamoDBDocumentClient, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import fc from 'fast-check';
import { NO_USAGE } from '../../../../lambda/runtime/limits/usage';
import { documentClient } from '../../../../lambda/shared/aws/clients/dynamodb';
import { type Lease, TaskLeases } from '../../../../lambda/shared/tasks/task-leases';
import { FINAL_STATUSES, LANES, type LaneName, LEASE_MS, TaskKey } from '../../../../lib/contract';
import { RELEASE, TASKS, TaskCloud } from '../../worker/support/task-cloud';
import { undelayedRetries } from '../../worker/support/undelayed';

const START = 1_800_000_000_000;
const WORKERS = 3;

let cloud: TaskCloud;
let documents: DynamoDBDocumentClient;

beforeAll(async () => {
  cloud = await TaskCloud.start();
  documents = documentClient(
    new DynamoDBClient({
      endpoint: cloud.wire.endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
      ...undelayedRetries(),
    }),
  );
});

afterAll(async () => {
  documents.destroy();
  await cloud.close();
});

beforeEach(() => cloud.reset());

/** Cloud time, moved by the test alone. */
class HandClock {
  time = START;
  now = () => this.time;
  sleep = () => Promise.reject(new Error('the store does not wait'));
}

function storeAt(clock: HandClock): TaskLeases {
  return new TaskLeases({
    client: documents,
    table: TASKS,
    release: RELEASE,
    retentionDays: 1,
    leaseMs: LEASE_MS,
    clock,
  });
}

/** The lease of a task that no worker has. */
async function leaseOf(store: TaskLeases, taskId: string): Promise<Lease> {
  const claim = await store.claim(taskId, 'stable', undefined);
  if (claim.kind !== 'claimed') {
    throw new Error(`${taskId} is ${claim.kind}`);
  }
  return claim.lease;
}

/** The next write arrives, but its answer gets lost: the SDK repeats it. */
function loseNextAnswer(): void {
  let lost = false;
  cloud.wire.fault = ({ operation }) => {
    if (lost || operation !== 'UpdateItem') {
      return undefined;
    }
    lost = true;
    return 'lose';
  };
}

const worker = fc.nat(WORKERS - 1);
const lost = fc.boolean();
const lane = fc.constantFrom(...LANES);

/** What may happen to a task, in any order. Workers keep the lease they once had, however late it is. */
const stepArbitrary = fc.oneof(
  { weight: 4, arbitrary: fc.record({ act: fc.constant('claim' as const), worker, lost, lane }) },
  { weight: 3, arbitrary: fc.record({ act: fc.constant('renew' as const), worker, lost }) },
  { weight: 3, arbitrary: fc.record({ act: fc.constant('finish' as const), worker, lost }) },
  {
    weight: 3,
    arbitrary: fc.record({
      act: fc.constant('requeue' as const),
      worker,
      lost,
      uncounted: fc.boolean(),
      lane: fc.option(lane, { nil: undefined }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('askToCancel' as const) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('cancelInQueue' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({ act: fc.constant('wait' as const), ms: fc.constantFrom(1, 40_000, LEASE_MS + 1) }),
  },
);
type Step = typeof stepArbitrary extends fc.Arbitrary<infer T> ? T : never;

/** The task as it must be, told from the steps alone; and the steps done to the store beside it. */
class Rehearsal {
  readonly clock = new HandClock();
  readonly store = storeAt(this.clock);
  readonly leases: (Lease | undefined)[] = Array.from({ length: WORKERS });
  status: 'queued' | 'running' | 'final' = 'queued';
  lane: LaneName = 'stable';
  /** Token of the lease that counts; in the queue, the token under which the task was requeued. */
  holder: string | undefined;
  leaseEnds = 0;
  cancelAsked = false;
  claims = 0;
  returns = 0;
  uncounted = 0;
  /** Every end that a write was told to have written. */
  readonly ends = new Set<string>();

  constructor(readonly id: string) {}

  async do(step: Step): Promise<void> {
    if ('lost' in step && step.lost) {
      loseNextAnswer();
    }
    switch (step.act) {
      case 'claim':
        await this.claim(step.worker, step.lane);
        break;
      case 'renew':
        await this.renew(step.worker);
        break;
      case 'finish':
        await this.finish(step.worker);
        break;
      case 'requeue':
        await this.requeue(step.worker, step.uncounted, step.lane);
        break;
      case 'askToCancel':
        await this.askToCancel();
        break;
      case 'cancelInQueue':
        await this.cancelInQueue();
        break;
      case 'wait':
        this.clock.time += step.ms;
    }
    cloud.wire.fault = () => undefined;
  }

  async claim(by: number, from: LaneName): Promise<void> {
    const free = this.status === 'queued' || (this.status === 'running' && this.leaseEnds < this.clock.time);
    const claim = await this.store.claim(this.id, from, undefined);
    const expected = this.status === 'final' ? 'final' : this.lane !== from ? 'moved' : free ? 'claimed' : 'held';
    expect(claim.kind).toBe(expected);
    if (claim.kind === 'held') {
      expect(claim.leaseExpiresAt).toBe(this.leaseEnds);
    }
    if (claim.kind === 'claimed') {
      this.claims += 1;
      expect(claim.task.attempts).toBe(this.claims);
      this.leases[by] = claim.lease;
      this.status = 'running';
      this.holder = claim.lease.token;
      this.leaseEnds = this.clock.time + LEASE_MS;
    }
  }

  async renew(by: number): Promise<void> {
    const lease = this.leases[by];
    if (lease === undefined) {
      return;
    }
    const renewal = await this.store.renew(lease);
    expect(renewal.kind).toBe(this.#counts(lease) ? 'renewed' : 'lost');
    if (renewal.kind === 'renewed') {
      expect(renewal.cancelRequested).toBe(this.cancelAsked);
      this.leases[by] = renewal.lease;
      this.leaseEnds = this.clock.time + LEASE_MS;
    }
  }

  async finish(by: number): Promise<void> {
    const lease = this.leases[by];
    if (lease === undefined) {
      return;
    }
    const end = { status: 'succeeded', usage: NO_USAGE, ranMs: 10, result: lease.token } as const;
    const { kind } = await this.store.finish(lease, end);
    expect(kind).toBe(this.#counts(lease) || this.ends.has(lease.token) ? 'written' : 'lost');
    if (kind === 'written') {
      this.status = 'final';
      this.ends.add(lease.token);
    }
  }

  async requeue(by: number, uncounted: boolean, to: LaneName | undefined): Promise<void> {
    const lease = this.leases[by];
    if (lease === undefined) {
      return;
    }
    const again = this.status === 'queued' && this.holder === lease.token;
    const how = { usage: NO_USAGE, ranMs: 10, uncounted, lane: to };
    const { kind } = await this.store.requeue(lease, how);
    const counts = this.#counts(lease);
    expect(kind).toBe(counts && this.cancelAsked ? 'cancelled' : counts || again ? 'written' : 'lost');
    if (kind === 'written' && counts) {
      this.status = 'queued';
      this.lane = to ?? this.lane;
      this.returns += 1;
      this.uncounted += uncounted ? 1 : 0;
    }
  }

  /** As the status API does for a running task. */
  async askToCancel(): Promise<void> {
    if (await this.#set('#status = :running', { ':running': 'running' }, { cancelRequestedAt: this.clock.time })) {
      expect(this.status).toBe('running');
      this.cancelAsked = true;
    }
  }

  /** As the status API does for a queued task. */
  async cancelInQueue(): Promise<void> {
    const end = { status: 'cancelled', endedBy: 'api' };
    if (await this.#set('#status = :queued', { ':queued': 'queued' }, end)) {
      expect(this.status).toBe('queued');
      this.status = 'final';
      this.ends.add('api');
    }
  }

  /** Whatever happened: deliveries after the last lease has run out bring the task to its end. */
  async comeToAnEnd(): Promise<void> {
    this.clock.time += LEASE_MS + 1;
    for (const from of LANES) {
      await this.claim(0, from);
      await this.finish(0);
    }
    const record = await cloud.task(this.id);
    expect(FINAL_STATUSES).toContain(record.status);
    expect(this.ends.size).toBe(1);
    expect([...this.ends]).toEqual([record.endedBy]);
    expect(record.result ?? 'api').toBe(record.endedBy);
    expect(record.attempts).toBe(this.claims);
    expect(record.uncounted ?? 0).toBe(this.uncounted);
    expect(record.ranMs ?? 0).toBe(10 * (this.returns + (record.endedBy === 'api' ? 0 : 1)));
  }

  #counts(lease: Lease): boolean {
    return this.status === 'running' && this.holder === lease.token;
  }

  async #set(condition: string, values: Record<string, string>, changes: Record<string, unknown>) {
    const entries = Object.entries(changes);
    try {
      await cloud.documents.send(
        new UpdateCommand({
          TableName: TASKS,
          Key: TaskKey.task(this.id),
          UpdateExpression: `SET ${entries.map(([key]) => `#${key} = :new_${key}`).join(', ')}`,
          ConditionExpression: condition,
          ExpressionAttributeNames: {
            '#status': 'status',
            ...Object.fromEntries(entries.map(([key]) => [`#${key}`, key])),
          },
          ExpressionAttributeValues: {
            ...values,
            ...Object.fromEntries(entries.map(([key, value]) => [`:new_${key}`, value])),
          },
        }),
      );
      return true;
    } catch (error) {
      expect(error).toMatchObject({ name: 'ConditionalCheckFailedException' });
      return false;
    }
  }
}

describe('several workers with one task', () => {
  test('in any interleaving of claims, heartbeats, ends, returns, cancellations, lost answers and time write its end exactly once, and never under a lease that has passed on', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(stepArbitrary, { minLength: 2, maxLength: 20 }), async (steps) => {
        const { id } = await cloud.putTask({ createdAt: START });
        const rehearsal = new Rehearsal(id);
        for (const step of steps) {
          await rehearsal.do(step);
        }
        await rehearsal.comeToAnEnd();
      }),
      { numRuns: 200 },
    );
  });

  test('that claim at the same moment: one gets it, the others see that it is held', async () => {
    for (let round = 0; round < 20; round += 1) {
      const clock = new HandClock();
      const { id } = await cloud.putTask();
      const claims = await Promise.all([0, 1, 2].map(() => storeAt(clock).claim(id, 'stable', undefined)));
      expect(claims.map(({ kind }) => kind).sort()).toEqual(['claimed', 'held', 'held']);
      expect((await cloud.task(id)).attempts).toBe(1);
    }
  });
});

describe('a lease', () => {
  test('that has run out can be taken over, and the first claim is remembered', async () => {
    const clock = new HandClock();
    const store = storeAt(clock);
    const { id } = await cloud.putTask();
    await store.claim(id, 'stable', undefined);
    expect(await store.claim(id, 'stable', undefined)).toEqual({ kind: 'held', leaseExpiresAt: START + LEASE_MS });
    clock.time += LEASE_MS + 1;
    expect(await store.claim(id, 'stable', undefined)).toMatchObject({
      kind: 'claimed',
      task: { attempts: 2, startedAt: START },
    });
  });

  test('that has run out can be renewed as long as no other worker has taken the task', async () => {
    const clock = new HandClock();
    const store = storeAt(clock);
    const { id } = await cloud.putTask();
    const lease = await leaseOf(store, id);
    clock.time += 2 * LEASE_MS;
    expect(await store.renew(lease)).toMatchObject({ kind: 'renewed', lease: { expiresAt: clock.time + LEASE_MS } });
    expect((await cloud.task(id)).lease).toEqual({ token: lease.token, expiresAt: clock.time + LEASE_MS });
  });

  test('is lost to a repetition of its own claim that came when the worker was done', async () => {
    const store = storeAt(new HandClock());
    const { id } = await cloud.putTask();
    const lease = await leaseOf(store, id);
    await store.requeue(lease, { usage: NO_USAGE, ranMs: 1 });
    await documents.send(
      new UpdateCommand({
        TableName: TASKS,
        Key: TaskKey.task(id),
        UpdateExpression: 'SET #status = :running, lease = :lease ADD attempts :one',
        ExpressionAttributeNames: { '#status': 'status' },
        ExpressionAttributeValues: {
          ':running': 'running',
          ':lease': { token: lease.token, expiresAt: lease.expiresAt },
          ':one': 1,
        },
      }),
    );
    const before = await cloud.task(id);
    expect(await store.renew(lease)).toEqual({ kind: 'lost' });
    expect(await store.requeue(lease, { usage: NO_USAGE, ranMs: 1 })).toMatchObject({ kind: 'lost' });
    const end = { status: 'succeeded', usage: NO_USAGE, ranMs: 1 } as const;
    expect(await store.finish(lease, end)).toMatchObject({ kind: 'lost' });
    expect(await cloud.task(id)).toEqual(before);
  });
});

test('a claim of a record that cannot be read says which of its fields are wrong', async () => {
  const clock = new HandClock();
  const { id } = await cloud.putTask({ user: 7 as never });
  expect(await storeAt(clock).claim(id, 'stable', undefined)).toMatchObject({
    kind: 'unreadable',
    error: { name: 'TaskUnreadableError', taskId: id, reason: 'user: Invalid input: expected string, received number' },
    heldUntil: undefined,
    lease: { taskId: id },
  });
});
