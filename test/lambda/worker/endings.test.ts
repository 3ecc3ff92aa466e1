import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { RetryableError } from '../../../lambda/runtime';
import {
  Env,
  MAX_INLINE_BYTES,
  PayloadKey,
  sha256,
  TaskKey,
  TaskMetric,
  type TaskRecord,
  WorkerMetric,
} from '../../../lib/contract';
import { Bench, until } from './support/attempt-harness';
import { behaviorDocument, TASKS, WEBHOOKS } from './support/task-cloud';

const bench = new Bench();

const webhook = { url: 'https://example.com/told' };
const usage = { modelCalls: 2, toolCalls: 1, inputTokens: 10, outputTokens: 5, cost: 0.5 };
const refusesToSend = ({ operation }: { readonly operation: string }) =>
  operation === 'SendMessage' ? { status: 400, body: { __type: 'QueueDoesNotExist', message: 'no' } } : undefined;

describe('a task that is not to be run any more when it is claimed', () => {
  test.each([
    ['is past its deadline', { deadlineAt: Date.now() - 1 }, 'timed_out', 'timed_out'],
    ['was cancelled while it ran before', { cancelRequestedAt: Date.now() - 1 }, 'cancelled', 'cancelled'],
  ] as const)('because it %s ends, with what earlier attempts used', async (_, task, status, code) => {
    const run = jest.fn();
    const { record, deleted } = await bench.work(run, { task: { attempts: 1, usage, ...task } });
    expect(deleted).toBe(true);
    expect(run).not.toHaveBeenCalled();
    expect(record).toMatchObject({ status, error: { code }, usage });
    expect(bench.metric(TaskMetric.FINISHED)).toEqual([1]);
    expect(bench.metric(TaskMetric.ABORTED)).toEqual([status === 'timed_out' ? 1 : 0]);
    expect(bench.metric(TaskMetric.COST)).toEqual([usage.cost]);
    expect(bench.metric(TaskMetric.DURATION)).toEqual([]);
  });

  test('has the cost of an attempt that crashed in what it used, as its journal has it', async () => {
    const task = await bench.cloud.putTask();
    bench.cloud.wire.fault = ({ body }) => (body.includes('finishedAt') ? 'refuse' : undefined);
    await bench.deliver(task, async (ctx) => (await ctx.model.generate({ prompt: 'p' })).text);
    bench.cloud.wire.fault = () => undefined;
    const crashed = await bench.cloud.task(task.id);
    expect(crashed).toMatchObject({ status: 'running', attempts: 1 });
    const expired = { ...crashed, lease: { token: 'gone', expiresAt: 1 }, cancelRequestedAt: 1 };
    await bench.cloud.documents.send(
      new PutCommand({ TableName: TASKS, Item: { ...TaskKey.task(task.id), ...expired } }),
    );
    const { record } = await bench.deliver(task, jest.fn());
    expect(record).toMatchObject({ status: 'cancelled', usage: { modelCalls: 1, inputTokens: 100 } });
  });
});

test('a task is ended at its deadline while it runs', async () => {
  const { record, deleted } = await bench.work((ctx) => until(ctx.signal, 5_000), {
    task: { deadlineAt: Date.now() + 300 },
  });
  expect(deleted).toBe(true);
  expect(record).toMatchObject({ status: 'timed_out', error: { code: 'timed_out' } });
});

test('a task that is to be cancelled is not requeued but ended', async () => {
  const { record, deleted } = await bench.work(async (ctx) => {
    const task = { ...(await bench.cloud.task(ctx.task.id)), cancelRequestedAt: 1 };
    await bench.cloud.documents.send(new PutCommand({ TableName: TASKS, Item: { ...TaskKey.task(task.id), ...task } }));
    throw new RetryableError('later');
  });
  expect(deleted).toBe(true);
  expect(record).toMatchObject({ status: 'cancelled', error: { code: 'cancelled' } });
  expect(bench.metric(WorkerMetric.RETRIED)).toEqual([]);
});

test('a limit that is exceeded counts as cut off', async () => {
  const limits = { ...behaviorDocument().limits, maxSteps: 1 };
  bench.cloud.s3 = () => ({ body: behaviorDocument({ limits }) });
  const { record } = await bench.work(async (ctx) => {
    await ctx.step('one', () => 1);
    await ctx.step('two', () => 2);
  });
  expect(record).toMatchObject({ status: 'failed', error: { code: 'limit_exceeded' } });
  expect(bench.metric(TaskMetric.ABORTED)).toEqual([1]);
});

describe('the caller of a task with a webhook', () => {
  test('is told of its end, whatever it is', async () => {
    const { record } = await bench.work(() => 'ok', { task: { webhook } });
    expect(bench.cloud.sentTo(WEBHOOKS)).toEqual([{ version: 1, agent: record.agent, taskId: record.id }]);
    await bench.work(
      () => {
        throw new Error('no');
      },
      { task: { webhook } },
    );
    expect(bench.cloud.sentTo(WEBHOOKS)).toHaveLength(2);
  });

  test('is told by the next delivery when the queue of webhooks was away', async () => {
    bench.cloud.sqs = refusesToSend;
    const task = await bench.cloud.putTask({ webhook });
    expect(await bench.deliver(task, () => 'ok')).toMatchObject({ deleted: false, record: { status: 'succeeded' } });
    bench.cloud.sqs = () => undefined;
    const run = jest.fn();
    expect(await bench.deliver(task, run, { receives: 2 })).toMatchObject({ deleted: true });
    expect(run).not.toHaveBeenCalled();
    expect(bench.cloud.sentTo(WEBHOOKS)).toHaveLength(1);
    expect(bench.metric(TaskMetric.FINISHED)).toEqual([1]);
  });

  test.each(['webhookDeliveredAt', 'webhookAbandonedAt'] as const)(
    'is not told again once the record has %s',
    async (field) => {
      const task: Partial<TaskRecord> = { status: 'succeeded', webhook, [field]: 5 };
      expect(await bench.work(() => 'never', { task })).toMatchObject({ deleted: true });
      expect(bench.cloud.queueCalls).toEqual([]);
    },
  );

  test('is not told of tasks that go back to their queue', async () => {
    await bench.work(
      () => {
        throw new RetryableError('later');
      },
      { task: { webhook } },
    );
    expect(bench.cloud.sentTo(WEBHOOKS)).toEqual([]);
  });
});

describe('large payloads', () => {
  const large = { text: 'x'.repeat(MAX_INLINE_BYTES) };

  test('an input in the bucket is what the agent gets', async () => {
    const text = JSON.stringify(large);
    bench.cloud.payloads.set('tasks/t/input.json', text);
    const inputRef = { key: 'tasks/t/input.json', bytes: text.length, sha256: sha256(text) };
    const { record } = await bench.work((_, input) => JSON.stringify(input).length, {
      task: { input: undefined, inputRef } as Partial<TaskRecord>,
    });
    expect(record).toMatchObject({ status: 'succeeded', result: text.length });
  });

  test('an input that is gone from the bucket fails the task, and says so', async () => {
    const inputRef = { key: 'tasks/t/gone.json', bytes: 1, sha256: '0'.repeat(64) };
    const { record } = await bench.work(() => 'never', { task: { inputRef } });
    expect(record).toMatchObject({ status: 'failed', error: { code: 'input_lost' } });
    expect(record.error?.message).toContain('tasks/t/gone.json');
  });

  test('an input that cannot be read for now makes the task wait, and costs it no attempt', async () => {
    bench.cloud.payloadRefusal = { status: 503, body: '<Error><Code>SlowDown</Code></Error>' };
    const inputRef = { key: 'tasks/t/input.json', bytes: 1, sha256: '0'.repeat(64) };
    const { record } = await bench.work(() => 'never', { task: { inputRef } });
    expect(record).toMatchObject({ status: 'queued', attempts: 1, uncounted: 1 });
    expect(bench.output.log('the task waits in its queue')).toMatchObject({ code: 'payload_unavailable' });
  });

  test('a result that is too large for the item goes to the bucket, one for each attempt', async () => {
    const { record } = await bench.work(() => large, { task: { attempts: 1 } });
    const text = JSON.stringify(large);
    expect(record).toMatchObject({
      status: 'succeeded',
      resultRef: { key: PayloadKey.result(record.id, 2), bytes: text.length, sha256: sha256(text) },
    });
    expect(record.result).toBeUndefined();
    expect(bench.cloud.payloads.get(PayloadKey.result(record.id, 2))).toBe(text);
  });

  test('a result that just fits stays in the item', async () => {
    const fits = 'x'.repeat(MAX_INLINE_BYTES - 2);
    expect((await bench.work(() => fits)).record.result).toBe(fits);
    expect((await bench.work(() => `${fits}x`)).record.resultRef).toBeDefined();
  });

  test('a result that DynamoDB does not take goes to the bucket', async () => {
    const result = { huge: 1e300 };
    const { record, deleted } = await bench.work(() => result);
    expect(deleted).toBe(true);
    expect(record.status).toBe('succeeded');
    expect(bench.cloud.payloads.get(record.resultRef?.key ?? '')).toBe(JSON.stringify(result));
  });

  test('a result that cannot be written for now makes the task try again, and its steps are not repeated', async () => {
    const step = jest.fn(() => 1);
    const task = await bench.cloud.putTask();
    const run = async (ctx: Parameters<Parameters<Bench['work']>[0]>[0]) => {
      await ctx.step('one', step);
      return large;
    };
    bench.cloud.payloadRefusal = { status: 503, body: '<Error><Code>SlowDown</Code></Error>' };
    expect(await bench.deliver(task, run)).toMatchObject({ deleted: false, record: { status: 'queued' } });
    bench.cloud.payloadRefusal = undefined;
    expect(await bench.deliver(task, run)).toMatchObject({ deleted: true, record: { status: 'succeeded' } });
    expect(step).toHaveBeenCalledTimes(1);
  });
});

test('an ordinary short task costs one claim and one end in DynamoDB, and no call of SQS', async () => {
  const { record, deleted } = await bench.work(() => 'ok', {
    settings: { [Env.TRANSCRIPTS]: 'on' },
    task: { webhook: undefined } as Partial<TaskRecord>,
  });
  expect({ deleted, status: record.status }).toEqual({ deleted: true, status: 'succeeded' });
  const operations = bench.cloud.wire.calls.map(({ operation }) => operation);
  expect(operations).toEqual(['UpdateItem', 'UpdateItem']);
  expect(bench.cloud.stubs.sqs.requests).toEqual([]);
  expect(bench.cloud.stubs.s3.requests).toHaveLength(1);
});
