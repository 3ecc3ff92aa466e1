import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import fc from 'fast-check';
import { documentClient } from '../../../../lambda/shared/aws/clients/dynamodb';
import {
  TASK_TRANSITIONS,
  type TaskTransition,
  TaskWriteInvalidError,
} from '../../../../lambda/shared/tasks/task-item';
import { type Lease, recordableEnd, type TaskEnd, TaskLeases } from '../../../../lambda/shared/tasks/task-leases';
import { TaskRepository } from '../../../../lambda/shared/tasks/task-repository';
import {
  FINAL_STATUSES,
  LANES,
  TASK_STATUSES,
  TaskKey,
  type TaskRecord,
  type TaskStatus,
  taskRecordSchema,
} from '../../../../lib/contract';
import { type LocalDynamoDb, startDynamoDb } from '../../../support/local-dynamodb';
import { FakeClock, START } from '../support/fakes';

const RELEASE = 'r-0123456789ab';
const LEASE_MS = 60_000;
const usage = { modelCalls: 1, toolCalls: 0, inputTokens: 10, outputTokens: 5, cost: 0.01 };
const error = { code: 'cancelled', message: 'why' };
const options = { lane: 'stable', now: START, retentionDays: 1 } as const;

let dynamodb: LocalDynamoDb;
let clock: FakeClock;
let repository: TaskRepository;
let leases: TaskLeases;

beforeAll(async () => {
  dynamodb = await startDynamoDb(['tasks']);
});
afterAll(() => dynamodb.close());

beforeEach(() => {
  const client = documentClient(dynamodb.client);
  clock = new FakeClock();
  repository = new TaskRepository(client, 'tasks');
  leases = new TaskLeases({ client, table: 'tasks', release: RELEASE, retentionDays: 1, leaseMs: LEASE_MS, clock });
});

let count = 0;
function newTask(changes: Partial<TaskRecord> = {}): TaskRecord {
  count += 1;
  return {
    id: `t-${count.toString(16).padStart(32, '0')}`,
    agent: 'support',
    status: 'queued',
    mode: 'live',
    lane: 'stable',
    priority: 'normal',
    user: 'u',
    requestDigest: 'd',
    input: null,
    createdAt: START,
    attempts: 0,
    expiresAt: START / 1_000 + 1_000,
    ...changes,
  };
}

async function put(changes: Partial<TaskRecord>): Promise<TaskRecord> {
  const task = newTask(changes);
  const Item = { ...TaskKey.task(task.id), ...task };
  await documentClient(dynamodb.client).send(new PutCommand({ TableName: 'tasks', Item }));
  return task;
}

async function itemOf({ id }: Pick<TaskRecord, 'id'>): Promise<Record<string, unknown> | undefined> {
  const get = new GetCommand({ TableName: 'tasks', Key: TaskKey.task(id), ConsistentRead: true });
  return (await documentClient(dynamodb.client).send(get)).Item;
}

/** A record that meets every condition of the transitions but, depending on the status, the status. */
const inStatus = (status: TaskStatus) =>
  put({
    status,
    attempts: 1,
    lease: { token: 'x', expiresAt: START - 1 },
    exhausted: true,
    finishedAt: START,
    webhook: { url: 'https://example.com' },
  });

const leaseOf = ({ id, attempts }: TaskRecord): Lease => ({
  taskId: id,
  token: 'x',
  attempt: attempts,
  expiresAt: START - 1,
});
const ended = (task: TaskRecord) => ({ id: task.id, finishedAt: START });
const end: TaskEnd = { status: 'succeeded', usage, ranMs: 5, result: { answer: 1 } };

/** Tries the transition. Whether it was written is told by the record. */
const TRY: Readonly<Record<TaskTransition, (task: TaskRecord) => Promise<unknown>>> = {
  claim: ({ id }) => leases.claim(id, 'stable', undefined),
  renew: (task) => leases.renew(leaseOf(task)),
  finish: (task) => leases.finish(leaseOf(task), end),
  requeue: (task) => leases.requeue(leaseOf(task), { usage, ranMs: 5 }),
  cancelQueued: ({ id }) => repository.cancelQueued(id, { at: START, error, expiresAt: START }),
  requestCancellation: ({ id }) => repository.requestCancellation(id, START),
  markWebhookDelivered: (task) => repository.markWebhookDelivered(ended(task), START),
  markWebhookAbandoned: (task) => repository.markWebhookAbandoned(ended(task), START),
  redrive: (task) => repository.redrive({ ...task, finishedAt: START }, options),
  restoreAttempts: (task) => repository.restoreAttempts(task, options),
};
const TRANSITIONS = Object.keys(TRY) as TaskTransition[];

describe.each(TRANSITIONS)('transition %s', (name) => {
  const { from, to }: { from: readonly TaskStatus[]; to: readonly TaskStatus[] } = TASK_TRANSITIONS[name];

  test.each(from)('is written from %s', async (status) => {
    const task = await inStatus(status);
    await TRY[name](task);
    const item = await itemOf(task);
    expect(item).not.toEqual({ ...TaskKey.task(task.id), ...task });
    const record = taskRecordSchema.parse(item);
    expect(to).toContain(record.status);
    if (to.length > 1 && from.length > 1) {
      expect(record.status).toBe(status);
    }
  });

  test.each(TASK_STATUSES.filter((status) => !from.includes(status)))('is refused from %s', async (status) => {
    const task = await inStatus(status);
    await TRY[name](task);
    await expect(itemOf(task)).resolves.toEqual({ ...TaskKey.task(task.id), ...task });
  });
});

describe('in an allowed status', () => {
  const live = { status: 'running', attempts: 1, lease: { token: 'x', expiresAt: START + 1 } } as const;
  const failed = { status: 'failed', attempts: 3, finishedAt: START } as const;

  test.each<[string, Partial<TaskRecord>, (task: TaskRecord) => Promise<unknown>]>([
    ['a claim under a valid lease', live, TRY.claim],
    ['a claim from another lane', { lane: 'candidate' }, TRY.claim],
    ['a renewal under another token', live, (task) => leases.renew({ ...leaseOf(task), token: 'y' })],
    ['a renewal of an earlier attempt', live, (task) => leases.renew({ ...leaseOf(task), attempt: 0 })],
    ['an end under another token', live, (task) => leases.finish({ ...leaseOf(task), token: 'y' }, end)],
    ['an end of an earlier attempt', live, (task) => leases.finish({ ...leaseOf(task), attempt: 0 }, end)],
    ['a requeue of a task to be cancelled', { ...live, cancelRequestedAt: START }, TRY.requeue],
    ['a redrive of a task with attempts left', failed, TRY.redrive],
    ['a redrive of a later end', { ...failed, exhausted: true, finishedAt: START + 1 }, TRY.redrive],
    ['a webhook of a later end', { ...failed, finishedAt: START + 1 }, TRY.markWebhookDelivered],
    ['a second delivery', { ...failed, webhookDeliveredAt: 1 }, TRY.markWebhookDelivered],
    ['abandoning a delivered webhook', { ...failed, webhookDeliveredAt: 1 }, TRY.markWebhookAbandoned],
    ['restored attempts under a valid lease', live, TRY.restoreAttempts],
    ['discarding a claimed task', { attempts: 1 }, ({ id }) => repository.discard(id)],
    ['discarding a running task', live, ({ id }) => repository.discard(id)],
    ['creating a task under a taken id', {}, (task) => repository.create({ ...newTask(), id: task.id })],
  ])('%s is refused', async (_, changes, attempt) => {
    const task = await put(changes);
    await attempt(task);
    await expect(itemOf(task)).resolves.toEqual({ ...TaskKey.task(task.id), ...task });
  });
});

describe('values that would make the record unreadable', () => {
  test.each<[string, Partial<TaskEnd>]>([
    ['an error without a code', { error: { code: '', message: 'm' } }],
    ['a score above 1', { score: 1.5 }],
    ['tokens that are not whole', { usage: { ...usage, inputTokens: 0.5 } }],
    ['a negative run time', { ranMs: -1 }],
  ])('%s is refused before the write, and has a recordable end', async (_, changes) => {
    const task = await inStatus('running');
    const wrong: TaskEnd = { ...end, ...changes };
    await expect(leases.finish(leaseOf(task), wrong)).rejects.toThrow(TaskWriteInvalidError);
    await expect(itemOf(task)).resolves.toEqual({ ...TaskKey.task(task.id), ...task });
    const recordable = recordableEnd(wrong);
    expect(recordable).toMatchObject({ status: 'failed', error: { code: 'invalid_end' } });
    await expect(leases.finish(leaseOf(task), { ...recordable, ranMs: 1 })).resolves.toMatchObject({
      kind: 'written',
      task: { status: 'failed' },
    });
  });

  test('a task that could not be read is not created', async () => {
    const task = newTask({ attempts: -1 });
    await expect(repository.create(task)).rejects.toThrow(TaskWriteInvalidError);
    await expect(repository.get(task.id)).resolves.toBeUndefined();
  });
});

test('any sequence of transitions keeps the record readable, and takes only transitions of the table', async () => {
  const step = fc.record({
    transition: fc.constantFrom(...TRANSITIONS),
    lane: fc.constantFrom(...LANES),
    status: fc.constantFrom(...(FINAL_STATUSES as readonly TaskEnd['status'][])),
    flag: fc.boolean(),
    elapsedMs: fc.constantFrom(0, 1, LEASE_MS + 1),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25, size: 'max' }), async (steps) => {
      const { id } = newTask();
      await repository.create({ ...newTask(), id, webhook: { url: 'https://example.com' } });
      let lease: Lease | undefined;
      for (const { transition, lane, status, flag, elapsedMs } of steps) {
        clock.time += elapsedMs;
        const before = (await repository.get(id)) as TaskRecord;
        const held = lease ?? { taskId: id, token: 'none', attempt: 0, expiresAt: 0 };
        const tries: typeof TRY = {
          ...TRY,
          claim: async () => {
            const claim = await leases.claim(id, before.lane, flag ? 'Root=1-abc' : undefined);
            lease = claim.kind === 'claimed' ? claim.lease : lease;
          },
          renew: () => leases.renew(held),
          finish: () =>
            leases.finish(held, {
              status,
              usage,
              models: flag ? { m: 1 } : {},
              ranMs: 1,
              exhausted: flag,
              ...(status === 'succeeded' ? { result: [lane] } : { error }),
            }),
          requeue: () => leases.requeue(held, { usage, ranMs: 1, uncounted: flag, waited: flag, lane }),
          markWebhookDelivered: () =>
            repository.markWebhookDelivered({ id, finishedAt: before.finishedAt ?? 0 }, clock.now()),
          markWebhookAbandoned: () =>
            repository.markWebhookAbandoned({ id, finishedAt: before.finishedAt ?? 0 }, clock.now()),
          redrive: () => repository.redrive(before, { ...options, lane, now: clock.now() }),
          restoreAttempts: () => repository.restoreAttempts(before, { ...options, now: clock.now() }),
        };
        await tries[transition](before);
        const after = (await repository.get(id)) as TaskRecord;
        if (after.status !== before.status) {
          const { from, to }: { from: readonly TaskStatus[]; to: readonly TaskStatus[] } = TASK_TRANSITIONS[transition];
          expect(from).toContain(before.status);
          expect(to).toContain(after.status);
        }
        expect(after.attempts).toBeGreaterThanOrEqual(before.attempts);
        expect(after.finishedAt !== undefined).toBe(FINAL_STATUSES.includes(after.status));
      }
    }),
    { numRuns: 25 },
  );
});
