import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { type DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import fc from 'fast-check';
import { FeedbackStore } from '../../../lambda/functions/api/feedback-store';
import type { AgentSession } from '../../../lambda/runtime/agent';
import { SessionStore } from '../../../lambda/runtime/sessions';
import { documentClient } from '../../../lambda/shared/aws/clients/dynamodb';
import { TaskRepository } from '../../../lambda/shared/tasks/task-repository';
import { UserConcurrencyLimiter, type UserSlot } from '../../../lambda/worker/lease/user-concurrency-limiter';
import { LEASE_MS, TaskKey, type TaskRecord, taskRecordSchema } from '../../../lib/contract';
import { type LocalDynamoDb, startDynamoDb } from '../../support/local-dynamodb';
import { Wire, type WireCall } from '../worker/support/scripted-network';
import { undelayedRetries } from '../worker/support/undelayed';
import { START } from './support/fakes';

const WRITES: ReadonlySet<string> = new Set(['PutItem', 'UpdateItem', 'DeleteItem']);

let dynamodb: LocalDynamoDb;
let wire: Wire;
let documents: DynamoDBDocumentClient;

beforeAll(async () => {
  dynamodb = await startDynamoDb(['tasks', 'sessions']);
  wire = await Wire.to(dynamodb.endpoint);
  documents = documentClient(
    new DynamoDBClient({
      endpoint: wire.endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
      ...undelayedRetries(),
    }),
  );
});

afterAll(async () => {
  documents.destroy();
  await wire.close();
  await dynamodb.close();
});

beforeEach(() => loseAnswers(0));

/** Answers to the next writes get lost; the writes arrive. Returns the number of answers that were lost. */
function loseAnswers(count: number): () => number {
  let lost = 0;
  wire.fault = ({ operation }: WireCall) => {
    if (lost >= count || !WRITES.has(operation)) {
      return undefined;
    }
    lost += 1;
    return 'lose';
  };
  return () => lost;
}

/** Does what is to be done while the answer to its first write gets lost. */
async function losing<T>(work: () => Promise<T>): Promise<T> {
  const lost = loseAnswers(1);
  const result = await work();
  expect(lost()).toBe(1);
  return result;
}

let count = 0;
const nextId = () => {
  count += 1;
  return count.toString(16).padStart(32, '0');
};

function newTask(changes: Partial<TaskRecord> = {}): TaskRecord {
  return {
    id: `t-${nextId()}`,
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
    expiresAt: START / 1000 + 100,
    ...changes,
  };
}

async function putTask(changes: Partial<TaskRecord> = {}): Promise<TaskRecord> {
  const task = newTask(changes);
  await documents.send(new PutCommand({ TableName: 'tasks', Item: { ...TaskKey.task(task.id), ...task } }));
  return task;
}

async function recordOf(id: string): Promise<TaskRecord> {
  const { Item } = await documents.send(new GetCommand({ TableName: 'tasks', Key: TaskKey.task(id) }));
  return taskRecordSchema.parse(Item);
}

test('a task that was recorded is not taken for another', async () => {
  const table = new TaskRepository(documents, 'tasks');
  const task = newTask();
  await expect(losing(() => table.create(task))).resolves.toBe(true);
  await expect(recordOf(task.id)).resolves.toEqual(task);
  await expect(losing(() => table.create(task))).resolves.toBe(false);
});

test('a task whose every answer was lost is known by its token to any worker that tries again', async () => {
  const table = new TaskRepository(documents, 'tasks');
  const task = newTask();
  loseAnswers(3);
  await expect(table.create(task, 'token')).rejects.toThrow('socket hang up');
  await expect(table.create(task, 'token')).resolves.toBe(true);
  await expect(table.create(task, 'other')).resolves.toBe(false);
});

test('a discarded task is gone', async () => {
  const { id } = await putTask();
  await expect(losing(() => new TaskRepository(documents, 'tasks').discard(id))).resolves.toBe(true);
});

test('a task that was cancelled in its queue was cancelled by this request, and by no other', async () => {
  const cancellations = new TaskRepository(documents, 'tasks');
  const { id } = await putTask();
  const end = { at: START, error: { code: 'cancelled', message: 'm' }, expiresAt: START / 1000 + 1_000 };
  await expect(losing(() => cancellations.cancelQueued(id, end))).resolves.toMatchObject({ status: 'cancelled' });
  await expect(losing(() => cancellations.cancelQueued(id, end))).resolves.toBeUndefined();
});

test('word left for a worker is left', async () => {
  const { id } = await putTask({ status: 'running', attempts: 1 });
  await expect(losing(() => new TaskRepository(documents, 'tasks').requestCancellation(id, START))).resolves.toBe(true);
});

test('a judgment that was written is not taken for another, first or not', async () => {
  const feedback = new FeedbackStore(documents, 'tasks');
  const id = nextId();
  const first = { score: 1, at: START, expiresAt: START };
  const second = { score: 0, at: START + 1, expiresAt: START };
  await expect(losing(() => feedback.put(id, 'u', first, undefined))).resolves.toBe(true);
  await expect(losing(() => feedback.put(id, 'u', second, START))).resolves.toBe(true);
  await expect(losing(() => feedback.put(id, 'u', second, START))).resolves.toBe(false);
  await expect(feedback.get(id, 'u')).resolves.toEqual(second);
});

test('a dead task that returned to queued is queued once', async () => {
  const tasks = new TaskRepository(documents, 'tasks');
  const task = await putTask({ status: 'failed', attempts: 3, exhausted: true, finishedAt: START });
  // Told apart by the record: redrive looks at it after a refusal.
  await losing(() => tasks.redrive(task, { lane: 'stable', now: START + 1, retentionDays: 1 }));
  await expect(recordOf(task.id)).resolves.toMatchObject({ status: 'queued', redrives: 1, uncounted: 3 });
});

test('a webhook that was noted as told is noted so', async () => {
  const task = await putTask({ status: 'failed', finishedAt: START });
  await losing(() =>
    new TaskRepository(documents, 'tasks').markWebhookDelivered({ id: task.id, finishedAt: START }, START + 1),
  );
  await expect(recordOf(task.id)).resolves.toMatchObject({ webhookDeliveredAt: START + 1 });
});

test('slots of a user are taken, taken over and left', async () => {
  let now = START;
  const slots = new UserConcurrencyLimiter({
    client: documents,
    table: 'tasks',
    max: 1,
    timeoutSeconds: 60,
    leaseMs: LEASE_MS,
    clock: {
      now: () => {
        now += 1;
        return now;
      },
      sleep: () => Promise.reject(new Error('it does not wait')),
    },
  });
  const user = nextId();
  const first = (await losing(() => slots.acquire(user, 't-1'))) as UserSlot;
  expect(first).toMatchObject({ isNew: true });
  const own = await losing(() => slots.takeOver(first));
  expect(own.expiresAt).toBeGreaterThan(first.expiresAt);
  await losing(() => slots.release(own));
  const second = (await losing(() => slots.acquire(user, 't-2'))) as UserSlot;
  expect(second).toMatchObject({ taskId: 't-2', isNew: true });
  await losing(() => slots.release(second));
  await expect(slots.acquire(user, 't-3')).resolves.toMatchObject({ taskId: 't-3', isNew: true });
});

describe('sessions', () => {
  const openSession = (name: string): AgentSession => {
    const sessions = new SessionStore({
      client: documents,
      table: 'sessions',
      agent: 'support',
      schema: 1,
      retentionDays: 1,
      clock: { now: () => START, sleep: () => Promise.reject(new Error('it does not wait')) },
    });
    return sessions.open(name, new AbortController().signal);
  };

  test('a state that was put is not taken for that of another task', async () => {
    const session = openSession(nextId());
    await session.get();
    await losing(() => session.put({ turns: 1 }));
    await losing(() => session.put({ turns: 2 }));
    await expect(session.get()).resolves.toEqual({ turns: 2 });
  });

  test('a state may be put again after an error, be it the same or the next', async () => {
    const session = openSession(nextId());
    await session.get();
    loseAnswers(3);
    await expect(session.put('a')).rejects.toMatchObject({ code: 'session_unavailable' });
    await session.put('a');
    loseAnswers(3);
    await expect(session.put('b')).rejects.toMatchObject({ code: 'session_unavailable' });
    await session.put('c');
    await expect(session.get()).resolves.toBe('c');
  });

  test('fails as changed by another task when it was, although an answer was lost', async () => {
    const name = nextId();
    const [one, other] = [openSession(name), openSession(name)];
    await Promise.all([one.get(), other.get()]);
    await losing(() => one.put(1));
    await expect(losing(() => other.put(2))).rejects.toMatchObject({ code: 'session_conflict' });
    await expect(one.get()).resolves.toBe(1);
  });

  const TASKS = 3;
  const task = fc.nat(TASKS - 1);
  const step = fc.oneof(
    fc.record({ act: fc.constant('get' as const), task }),
    // Answers that get lost: of one try, of two, or of all that the SDK makes.
    fc.record({ act: fc.constant('put' as const), task, state: fc.nat(2), lost: fc.constantFrom(0, 0, 1, 2, 3) }),
  );

  test('in any order of reads, writes and lost answers hold what was put last, and no task overwrites what it has not read', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14, size: 'max' }), async (steps) => {
        const name = nextId();
        const sessions = Array.from({ length: TASKS }, () => openSession(name));
        /** Write that the session holds, by its number, and the write that each task knows of. Undefined: none yet read. */
        let held = 0;
        let state: number | undefined;
        let writes = 0;
        const known: (number | undefined)[] = sessions.map(() => undefined);
        /** Tasks whose last write arrived, and that were told of no version since. */
        const unsure = new Set<number>();
        for (const one of steps) {
          const session = sessions[one.task] as AgentSession;
          if (one.act === 'get') {
            await expect(session.get()).resolves.toBe(state);
            known[one.task] = held;
            unsure.delete(one.task);
            continue;
          }
          if (known[one.task] === undefined) {
            continue;
          }
          loseAnswers(one.lost);
          const failure = await session.put(one.state).then(
            () => undefined,
            (error: unknown) => error as { readonly code: string },
          );
          loseAnswers(0);
          if (known[one.task] !== held) {
            // A refusal has no answer that counts: when all of them get lost nothing is known.
            expect(failure?.code).toBe(one.lost === 3 ? 'session_unavailable' : 'session_conflict');
            continue;
          }
          expect(failure?.code).toBe(one.lost === 3 ? 'session_unavailable' : undefined);
          if (one.lost === 3 && unsure.has(one.task)) {
            // Refused for the sake of its own write before, of which it never hears: nothing was written.
            continue;
          }
          if (unsure.has(one.task) && one.state === state) {
            // What it puts again has arrived already: it is told so, and nothing is written.
            unsure.delete(one.task);
            continue;
          }
          if (one.lost === 3) {
            unsure.add(one.task);
          } else {
            unsure.delete(one.task);
          }
          writes += 1;
          held = writes;
          known[one.task] = held;
          state = one.state;
        }
        await expect(openSession(name).get()).resolves.toBe(state);
      }),
      { numRuns: 200 },
    );
  });
});
