import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { Submission } from '../../../../lambda/functions/router/submission';
import { TaskIntake, type TaskIntakeDeps } from '../../../../lambda/functions/router/task-intake';
import { documentClient } from '../../../../lambda/shared/aws/clients/dynamodb';
import type { Overload } from '../../../../lambda/shared/backlog/overload';
import type { ExceededBudget } from '../../../../lambda/shared/budgets/budget-book';
import type { PayloadStore } from '../../../../lambda/shared/tasks/payload-store';
import { TaskRepository } from '../../../../lambda/shared/tasks/task-repository';
import { MetricEmitter } from '../../../../lambda/shared/telemetry/emf';
import {
  BudgetMetric,
  MAX_INLINE_BYTES,
  sha256,
  TASK_ID_PATTERN,
  TaskKey,
  type TaskRecord,
} from '../../../../lib/contract';
import { type LocalDynamoDb, startDynamoDb } from '../../../support/local-dynamodb';
import { awsError, CapturedLog, FakeClock, OUTAGES, START } from '../../shared/support/fakes';
import { AGENT, IN_PROGRESS } from './support';

let dynamodb: LocalDynamoDb;
let table: TaskRepository;
beforeAll(async () => {
  dynamodb = await startDynamoDb(['tasks']);
  table = new TaskRepository(documentClient(dynamodb.client), 'tasks');
});
afterAll(() => dynamodb.close());

interface Sent {
  readonly task: TaskRecord;
  readonly trace: string | undefined;
  /** The task's record at the moment of sending. */
  readonly record: TaskRecord | undefined;
}

/** A payload bucket in memory. */
class Bucket implements Pick<PayloadStore, 'put'> {
  readonly objects = new Map<string, string>();
  failure: Error | undefined;

  async put(key: string, text: string) {
    if (this.failure !== undefined) {
      throw this.failure;
    }
    this.objects.set(key, text);
    return { key, bytes: Buffer.byteLength(text), sha256: sha256(text) };
  }
}

function setUp({
  tasks = table as TaskIntakeDeps['tasks'],
  onSend = async () => {},
  overload,
  exceeded,
}: {
  tasks?: TaskIntakeDeps['tasks'];
  onSend?: () => Promise<void>;
  overload?: Overload;
  exceeded?: ExceededBudget | Error;
} = {}) {
  const bucket = new Bucket();
  const sent: Sent[] = [];
  const calls: string[] = [];
  const clock = new FakeClock();
  const logger = new CapturedLog();
  const metricLines: string[] = [];
  const intake = new TaskIntake({
    agent: AGENT,
    retentionDays: 7,
    routing: { current: async () => ({ promoted: IN_PROGRESS.promoted }) },
    tasks: {
      create: async (task) => {
        calls.push('create');
        return await tasks.create(task);
      },
      get: async (id) => {
        calls.push('get');
        return await tasks.get(id);
      },
      discard: async (id) => {
        calls.push('discard');
        return await tasks.discard(id);
      },
    },
    queues: {
      send: async (task, trace) => {
        calls.push('send');
        sent.push({ task, trace, record: await table.get(task.id) });
        await onSend();
      },
    },
    payloads: {
      put: async (key, text) => {
        calls.push('put');
        return await bucket.put(key, text);
      },
    },
    backpressure: { overload: async () => overload },
    budgets: {
      exceeded: async () => {
        if (exceeded instanceof Error) {
          throw exceeded;
        }
        return exceeded;
      },
    },
    clock,
    logger,
    metrics: new MetricEmitter({ dimensions: { Agent: AGENT }, clock: clock, sink: (line) => metricLines.push(line) }),
  });
  return { bucket, calls, clock, intake, logger, metricLines, sent };
}

let count = 0;
function submission(changes: Partial<Submission> = {}): Submission {
  count += 1;
  return { input: { n: count }, user: 'user-1', priority: 'normal', ...changes };
}

async function change(id: string, status: string): Promise<void> {
  await documentClient(dynamodb.client).send(
    new UpdateCommand({
      TableName: 'tasks',
      Key: TaskKey.task(id),
      UpdateExpression: 'SET #status = :status, attempts = :one',
      ExpressionAttributeNames: { '#status': 'status' },
      ExpressionAttributeValues: { ':status': status, ':one': 1 },
    }),
  );
}

test('a task is one write and one message, in this order', async () => {
  const { calls, intake, logger, metricLines, sent } = setUp();
  const { id, status } = await intake.submit(submission({ session: 's', traceHeader: 'Root=1' }));
  expect(id).toMatch(TASK_ID_PATTERN);
  expect(status).toBe('queued');
  expect(calls).toEqual(['create', 'send']);
  expect(sent).toMatchObject([{ trace: 'Root=1', record: sent[0]?.task }]);
  expect(sent[0]?.task).toMatchObject({
    id,
    agent: AGENT,
    status: 'queued',
    mode: 'live',
    lane: 'stable',
    priority: 'normal',
    user: 'user-1',
    session: 's',
    createdAt: START,
    attempts: 0,
    expiresAt: START / 1000 + 7 * 24 * 60 * 60,
  });
  expect(logger.find('task accepted').fields).toMatchObject({ task: id, lane: 'stable', reason: 'no_rollout' });
  expect(metricLines.map((line) => JSON.parse(line))).toMatchObject([
    { Agent: AGENT, Lane: 'stable', TasksAccepted: 1 },
  ]);
});

test('a deadline and a webhook go into the record, which outlasts the deadline', async () => {
  const { intake, sent } = setUp();
  const week = 7 * 24 * 60 * 60;
  await intake.submit(submission({ timeoutSeconds: week, webhook: { url: 'https://example.com/' } }));
  expect(sent[0]?.record).toMatchObject({
    deadlineAt: START + week * 1000,
    webhook: { url: 'https://example.com/' },
    expiresAt: START / 1000 + 2 * week,
  });
});

describe('a large input', () => {
  /** Its JSON has the given number of bytes. */
  const input = (bytes: number) => 'x'.repeat(bytes - 2);
  const large = (fill = 'x') => fill.repeat(MAX_INLINE_BYTES);

  test('stays in the record as long as it fits', async () => {
    const { calls, intake, sent } = setUp();
    await intake.submit(submission({ input: input(MAX_INLINE_BYTES) }));
    expect(calls).toEqual(['create', 'send']);
    expect(sent[0]?.record).toMatchObject({ input: input(MAX_INLINE_BYTES) });
  });

  test('goes to the bucket before the record that refers to it', async () => {
    const { bucket, calls, intake, sent } = setUp();
    const { id } = await intake.submit(submission({ input: input(MAX_INLINE_BYTES + 1) }));
    expect(calls).toEqual(['put', 'create', 'send']);
    const text = JSON.stringify(input(MAX_INLINE_BYTES + 1));
    const key = `tasks/${id}/input-${sha256(text)}.json`;
    expect(sent[0]?.record).toMatchObject({ inputRef: { key, bytes: MAX_INLINE_BYTES + 1, sha256: sha256(text) } });
    expect(sent[0]?.record?.input).toBeUndefined();
    expect([...bucket.objects]).toEqual([[key, text]]);
  });

  test('is not sent to the bucket again by a repeat', async () => {
    const { calls, intake } = setUp();
    const one = submission({ input: large(), idempotencyKey: 'large' });
    const { id } = await intake.submit(one);
    await expect(intake.submit(one)).resolves.toEqual({ id, status: 'queued' });
    expect(calls).toEqual(['get', 'put', 'create', 'send', 'get', 'send']);
  });

  test('of two requests at the same moment, under one key, stays that of the one that was accepted', async () => {
    const { bucket, intake, sent } = setUp();
    const outcomes = await Promise.allSettled(
      ['a', 'b'].map((fill) => intake.submit(submission({ input: large(fill), idempotencyKey: 'both' }))),
    );
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const ref = sent[0]?.record?.inputRef;
    expect(sha256(bucket.objects.get(ref?.key ?? '') ?? '')).toBe(ref?.sha256);
  });

  test.each(OUTAGES)('refuses as unavailable when the bucket has %s, and nothing is recorded', async (_, outage) => {
    const { bucket, calls, intake } = setUp();
    bucket.failure = outage;
    await expect(intake.submit(submission({ input: large() }))).rejects.toMatchObject({
      code: 'unavailable',
      retryAfterSeconds: 5,
      cause: outage,
    });
    expect(calls).toEqual(['put']);
  });
});

describe('while too much waits', () => {
  const overload: Overload = { queue: 'high', ageSeconds: 1_000, limitSeconds: 900, retryAfterSeconds: 100 };

  test('refuses, says why and when to try again, counts it, and records nothing', async () => {
    const { calls, intake, metricLines } = setUp({ overload });
    await expect(intake.submit(submission({ input: 'x'.repeat(MAX_INLINE_BYTES) }))).rejects.toMatchObject({
      code: 'overloaded',
      status: 429,
      retryAfterSeconds: 100,
      message: expect.stringMatching(
        /queue 'high' is overloaded.*priority normal.*1000 s, exceeds 900 s; retry after 100 s/,
      ),
    });
    expect(calls).toEqual([]);
    expect(metricLines.map((line) => JSON.parse(line))).toMatchObject([
      {
        Lane: 'stable',
        TasksShed: 1,
        _aws: { CloudWatchMetrics: [{ Dimensions: [['Agent'], ['Agent', 'Lane']] }] },
      },
    ]);
  });

  test('a repeat of what was accepted before is answered as ever', async () => {
    const one = submission({ idempotencyKey: 'before-the-flood' });
    const { id } = await setUp().intake.submit(one);
    await expect(setUp({ overload }).intake.submit(one)).resolves.toEqual({ id, status: 'queued' });
    await expect(setUp({ overload }).intake.submit({ ...one, idempotencyKey: 'later' })).rejects.toMatchObject({
      code: 'overloaded',
    });
  });

  test('a task is let in that must not stay outside any longer', async () => {
    const { intake, sent } = setUp({ overload });
    await intake.submit(submission(), { despiteOverload: true });
    expect(sent).toHaveLength(1);
  });
});

test('without a key the same request makes another task', async () => {
  const { intake } = setUp();
  const one = submission();
  expect((await intake.submit(one)).id).not.toBe((await intake.submit(one)).id);
});

test('the same key means the same task, of the same user', async () => {
  const { intake, metricLines } = setUp();
  const one = submission({ idempotencyKey: 'same' });
  const { id } = await intake.submit(one);
  expect((await intake.submit(one)).id).toBe(id);
  expect((await intake.submit({ ...one, user: 'user-2' })).id).not.toBe(id);
  // The repeat is no further task.
  expect(metricLines).toHaveLength(2);
});

test('a repeat while the task is queued sends it again, to the lane it was given', async () => {
  const { calls, intake, sent } = setUp();
  const one = submission({ idempotencyKey: 'queued' });
  const { id } = await intake.submit(one);
  await intake.submit({ ...one, traceHeader: 'Root=2' });
  expect(calls).toEqual(['create', 'send', 'create', 'get', 'send']);
  expect(sent[1]).toMatchObject({ task: { id, lane: 'stable' }, trace: 'Root=2' });
});

test.each(['running', 'succeeded', 'failed', 'timed_out', 'cancelled'])(
  'a repeat of a %s task sends nothing',
  async (status) => {
    const { intake, sent } = setUp();
    const one = submission({ idempotencyKey: `repeat-${status}` });
    const { id } = await intake.submit(one);
    await change(id, status);
    await expect(intake.submit(one)).resolves.toEqual({ id, status });
    expect(sent).toHaveLength(1);
  },
);

test.each<[string, Partial<Submission>]>([
  ['input', { input: 'other' }],
  ['session', { session: 'other' }],
  ['priority', { priority: 'low' }],
  ['deadline', { timeoutSeconds: 60 }],
  ['webhook', { webhook: { url: 'https://example.com/' } }],
])('refuses the same key with another %s', async (name, changes) => {
  const { intake, sent } = setUp();
  const one = submission({ idempotencyKey: `conflict-${name}` });
  const { id } = await intake.submit(one);
  await expect(intake.submit({ ...one, ...changes })).rejects.toMatchObject({
    code: 'idempotency_conflict',
    status: 409,
  });
  await expect(intake.submit({ ...one, ...changes })).rejects.toThrow(id);
  expect(sent).toHaveLength(1);
});

describe.each(OUTAGES)('when the store has %s', (_, outage) => {
  const down: TaskIntakeDeps['tasks'] = {
    create: () => Promise.reject(outage),
    get: () => Promise.reject(outage),
    discard: () => Promise.reject(outage),
  };

  test.each([undefined, 'key'])('refuses as unavailable, and nothing is queued (key: %p)', async (idempotencyKey) => {
    const { intake, metricLines, sent } = setUp({ tasks: down });
    const given = submission(idempotencyKey === undefined ? {} : { idempotencyKey });
    await expect(intake.submit(given)).rejects.toMatchObject({ code: 'unavailable', status: 503, cause: outage });
    expect(sent).toEqual([]);
    expect(metricLines).toEqual([]);
  });
});

test('refuses as internal what asking again would not fix', async () => {
  const denied = {
    ...table,
    create: () => Promise.reject(awsError('AccessDeniedException')),
  } as unknown as TaskIntakeDeps['tasks'];
  await expect(setUp({ tasks: denied }).intake.submit(submission())).rejects.toMatchObject({
    code: 'internal',
    status: 500,
  });
});

describe.each(OUTAGES)('when the queue has %s', (name, outage) => {
  const onSend = () => Promise.reject(outage);

  test('refuses as unavailable and takes the record back, without a key', async () => {
    const { calls, intake, sent } = setUp({ onSend });
    await expect(intake.submit(submission())).rejects.toMatchObject({ code: 'unavailable', status: 503 });
    expect(calls).toEqual(['create', 'send', 'discard']);
    await expect(table.get(sent[0]?.task.id ?? '')).resolves.toBeUndefined();
  });

  test('refuses as unavailable and keeps the record, with a key; the repeat heals it', async () => {
    const one = submission({ idempotencyKey: `outage-${name.replaceAll(' ', '-')}` });
    const { calls, intake, sent } = setUp({ onSend });
    await expect(intake.submit(one)).rejects.toThrow('repeat it with the same idempotency key');
    expect(calls).toEqual(['create', 'send']);
    const id = sent[0]?.task.id ?? '';
    await expect(table.get(id)).resolves.toMatchObject({ status: 'queued' });
    const healed = setUp();
    await expect(healed.intake.submit(one)).resolves.toEqual({ id, status: 'queued' });
    expect(healed.sent).toMatchObject([{ task: { id } }]);
  });
});

test('a message that did arrive, although the queue answered with an error, is a task accepted', async () => {
  const sent: string[] = [];
  const setup = setUp({
    onSend: async () => {
      const id = setup.sent[0]?.task.id ?? '';
      sent.push(id);
      await change(id, 'running');
      throw awsError('ServiceUnavailable', 503);
    },
  });
  await expect(setup.intake.submit(submission())).resolves.toMatchObject({
    id: expect.stringMatching(TASK_ID_PATTERN),
  });
  expect(setup.logger.find('a worker has claimed the task').fields).toMatchObject({ task: sent[0] });
});

test('fails to take the record back: still refuses, and says so in the log', async () => {
  const tasks = {
    create: (task: TaskRecord) => table.create(task),
    get: (id: string) => table.get(id),
    discard: () => Promise.reject(awsError('InternalServerError', 500)),
  };
  const { intake, logger } = setUp({ tasks, onSend: () => Promise.reject(awsError('ServiceUnavailable', 503)) });
  await expect(intake.submit(submission())).rejects.toMatchObject({ code: 'unavailable' });
  expect(logger.find('could not be removed').level).toBe('warn');
});

test('nothing is ever queued without a record, whatever fails and whichever caller repeats', async () => {
  const flaky = { create: 0, send: 0 };
  const tasks: TaskIntakeDeps['tasks'] = {
    create: async (task) => {
      flaky.create += 1;
      if (flaky.create % 3 === 0) {
        throw awsError('ThrottlingException');
      }
      return await table.create(task);
    },
    get: (id) => table.get(id),
    discard: (id) => table.discard(id),
  };
  const { intake, sent } = setUp({
    tasks,
    onSend: async () => {
      flaky.send += 1;
      if (flaky.send % 4 === 0) {
        throw awsError('ServiceUnavailable', 503);
      }
    },
  });
  const outcomes = await Promise.allSettled(
    Array.from({ length: 60 }, (_, index) =>
      intake.submit({
        input: index % 20,
        user: `user-${index % 5}`,
        priority: 'normal',
        ...(index % 2 === 0 ? { idempotencyKey: `flaky-${index % 20}` } : {}),
      }),
    ),
  );
  expect(sent.length).toBeGreaterThan(20);
  expect(sent.filter(({ record }) => record === undefined)).toEqual([]);
  for (const outcome of outcomes) {
    if (outcome.status === 'fulfilled') {
      await expect(table.get(outcome.value.id)).resolves.toMatchObject({ id: outcome.value.id });
      expect(sent.some(({ task }) => task.id === outcome.value.id)).toBe(true);
    } else {
      expect(outcome.reason).toMatchObject({ code: 'unavailable' });
    }
  }
});

describe('a budget that is used up', () => {
  const exceeded: ExceededBudget = {
    whose: 'user',
    limit: 5,
    endsInMs: 3_599_500,
    message: "the user's budget of 5 US dollars a day is used up",
  };

  test('refuses the task, and says whose it is and when to come back', async () => {
    const { calls, intake, metricLines } = setUp({ exceeded });
    await expect(intake.submit(submission())).rejects.toMatchObject({
      code: 'budget_exceeded',
      status: 429,
      message: exceeded.message,
      retryAfterSeconds: 3_600,
    });
    expect(calls).toEqual([]);
    expect(metricLines.join()).toContain(BudgetMetric.EXCEEDED);
  });

  test('does not turn a repeat away', async () => {
    const request = submission({ idempotencyKey: 'budget-1' });
    const { id } = await setUp().intake.submit(request);
    expect(await setUp({ exceeded }).intake.submit(request)).toEqual({ id, status: 'queued' });
  });

  test('lets in what has waited in the inbox', async () => {
    const { id } = await setUp({ exceeded }).intake.submit(submission(), { despiteOverload: true });
    expect(id).toMatch(TASK_ID_PATTERN);
  });

  test('lets tasks in while it cannot be read', async () => {
    const { intake, logger } = setUp({ exceeded: awsError('ThrottlingException') });
    expect((await intake.submit(submission())).status).toBe('queued');
    expect(logger.find('the budgets could not be read').level).toBe('warn');
  });
});
