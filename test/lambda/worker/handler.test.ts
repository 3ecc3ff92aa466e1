import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import { type AgentContext, defineAgent, FatalError, RetryableError } from '../../../lambda/runtime';
import { createHandler } from '../../../lambda/worker';
import {
  DIMENSION_SETS,
  Env,
  MAX_PAYLOAD_BYTES,
  METRIC_NAMESPACE,
  TaskMetric,
  type TaskRecord,
  WorkerMetric,
} from '../../../lib/contract';
import { Output } from './support/output';
import {
  AGENT,
  behaviorDocument,
  context,
  KEY,
  type MessageOptions,
  messageFor,
  modelError,
  modelMessage,
  RELEASE,
  TaskCloud,
} from './support/task-cloud';

let cloud: TaskCloud;
let output: Output;
const environment = process.env;

beforeAll(async () => {
  cloud = await TaskCloud.start();
});

afterAll(() => cloud.close());

beforeEach(() => {
  cloud.reset();
  process.env = { ...environment, ...cloud.environment() };
  output = new Output();
});

afterEach(() => {
  output.restore();
  process.env = environment;
});

const question = z.object({ question: z.string() });

function agentThat(run: (ctx: AgentContext, input: z.infer<typeof question>) => unknown) {
  return defineAgent({ input: question, run: async (task, ctx) => run(ctx, task.input) });
}

/** Runs one task through a worker of its own; gives the record afterwards and whether the message is deleted. */
async function work(
  run: Parameters<typeof agentThat>[0],
  options: MessageOptions & { readonly task?: Partial<TaskRecord>; readonly remainingMs?: number } = {},
) {
  const task = await cloud.putTask(options.task);
  const handler = createHandler(agentThat(run));
  const { batchItemFailures } = await handler(
    { Records: [messageFor(task, options)] },
    context(options.remainingMs ?? 60_000),
  );
  return { record: await cloud.task(task.id), deleted: batchItemFailures.length === 0 };
}

describe('a task that succeeds', () => {
  test('is claimed, run and finished once, with its release, usage, score and result', async () => {
    const { record, deleted } = await work(
      async (ctx, input) => {
        await ctx.tool('search', { q: input.question }, () => 'notes');
        const { text } = await ctx.model.generate({ prompt: ctx.prompt('hello', { name: 'you' }), system: 'be brief' });
        ctx.score(0.75);
        return { answer: text };
      },
      { trace: 'Root=1-abc;Sampled=1' },
    );
    expect(deleted).toBe(true);
    expect(record).toMatchObject({
      status: 'succeeded',
      release: RELEASE,
      attempts: 1,
      result: { answer: 'fine' },
      usage: { modelCalls: 1, toolCalls: 1, inputTokens: 100, outputTokens: 20 },
      score: 0.75,
      trace: 'Root=1-abc;Sampled=1',
    });
    expect(record.usage?.cost).toBeCloseTo((100 * 1 + 20 * 5) / 1_000_000, 12);
    expect(record.lease).toBeUndefined();
    expect(record.finishedAt).toBeGreaterThanOrEqual(record.startedAt ?? Number.POSITIVE_INFINITY);
    // Kept for the retention after its end, not after its acceptance.
    expect(record.expiresAt).toBeGreaterThan(Date.now() / 1000 + 6.9 * 86_400);
  });

  test('asks the provider once, with the key from Secrets Manager and what the release says', async () => {
    await work(async (ctx) => (await ctx.model.generate({ prompt: 'p', system: 's', maxTokens: 9_999 })).text);
    expect(cloud.stubs.model.requests).toHaveLength(1);
    expect(cloud.stubs.model.requests[0]).toMatchObject({
      path: '/v1/messages',
      headers: { authorization: `Bearer ${KEY}` },
      body: {
        model: 'claude-haiku-4-5-20251001',
        max_tokens: 500,
        system: 's',
        messages: [{ role: 'user', content: 'p' }],
      },
    });
  });

  test('emits the metrics of the contract, in its three dimension sets and in no other', async () => {
    const { record } = await work(
      async (ctx) => {
        ctx.score(1);
        return 'ok';
      },
      { task: { lane: 'candidate' } },
    );
    expect(record.status).toBe('succeeded');
    const [line, ...more] = output.metrics();
    expect(more).toEqual([]);
    expect(line?._aws.CloudWatchMetrics).toHaveLength(1);
    const directive = line?._aws.CloudWatchMetrics[0];
    expect(directive?.Namespace).toBe(METRIC_NAMESPACE);
    expect(directive?.Dimensions).toEqual(DIMENSION_SETS.map((set) => [...set]));
    expect(directive?.Metrics.map(({ Name }) => Name).sort()).toEqual(Object.values(TaskMetric).sort());
    expect(line).toMatchObject({
      Agent: AGENT,
      Lane: 'candidate',
      Release: RELEASE,
      [TaskMetric.FINISHED]: 1,
      [TaskMetric.SUCCEEDED]: 1,
      [TaskMetric.FAILED]: 0,
      [TaskMetric.QUALITY]: 1,
    });
    expect(line?.[TaskMetric.QUEUE_WAIT]).toBeGreaterThanOrEqual(1_500);
    expect(Math.abs((line?._aws.Timestamp ?? 0) - Date.now())).toBeLessThan(10_000);
  });

  test("goes by the cloud's time in its record, its metrics and its log", async () => {
    const cloudEpochMs = Date.UTC(2033, 0, 1);
    process.env[Env.CLOCK] = JSON.stringify({ realEpochMs: Date.now(), cloudEpochMs, speed: 60 });
    const { record } = await work(() => 'ok', { task: { createdAt: cloudEpochMs - 5_000 } });
    const minutes = (time: number | undefined) => ((time ?? 0) - cloudEpochMs) / 60_000;
    expect(minutes(record.startedAt)).toBeGreaterThanOrEqual(0);
    expect(minutes(record.finishedAt)).toBeLessThan(60);
    expect(minutes(output.metrics()[0]?._aws.Timestamp)).toBeGreaterThanOrEqual(minutes(record.finishedAt));
    expect(output.metrics()[0]?.[TaskMetric.QUEUE_WAIT]).toBe((record.startedAt ?? 0) - cloudEpochMs + 5_000);
    expect(output.log('task finished').timestamp).toMatch(/^2033-01-01T/);
  });

  test('emits no quality for a task that was not scored', async () => {
    await work(() => 'ok');
    const names = output.metrics()[0]?._aws.CloudWatchMetrics[0]?.Metrics.map(({ Name }) => Name);
    expect(names).not.toContain(TaskMetric.QUALITY);
    expect(names).toHaveLength(Object.values(TaskMetric).length - 1);
  });

  test('logs the task, its calls and its outcome in fields', async () => {
    const { record } = await work(async (ctx) => {
      await ctx.tool('search', { q: 'x' }, () => 'notes');
      return (await ctx.model.generate({ prompt: 'p' })).text;
    });
    const fields = { agent: AGENT, release: RELEASE, lane: 'stable', task: record.id, mode: 'live' };
    expect(output.log('task claimed')).toMatchObject({ ...fields, component: 'worker', attempt: 1 });
    expect(output.log('tool answered')).toMatchObject({ ...fields, component: 'tool', tool: 'search', outcome: 'ok' });
    expect(output.log('model answered')).toMatchObject({ ...fields, component: 'model', inputTokens: 100 });
    expect(output.log('task finished')).toMatchObject({ ...fields, outcome: 'succeeded' });
    for (const line of output.logs()) {
      expect(line).toEqual(expect.objectContaining({ timestamp: expect.any(String), level: expect.any(String) }));
    }
  });
});

test('numbers that JSON can hold come out of the store as they went in', async () => {
  const result = { big: 12_345_678_901_234_567_000, huge: 1e120, small: -1.5e-100, fraction: 0.1 + 0.2 };
  const { record } = await work(() => result);
  expect(record.result).toEqual(result);
});

describe('a task that does not succeed', () => {
  test('fails with invalid_input and the path, without running the agent', async () => {
    const run = jest.fn();
    const { record, deleted } = await work(run, { task: { input: { question: 7 } } });
    expect(deleted).toBe(true);
    expect(record).toMatchObject({ status: 'failed', error: { code: 'invalid_input' } });
    expect(record.error?.message).toMatch(/^input\.question: /);
    expect(run).not.toHaveBeenCalled();
    expect(output.metrics()[0]).toMatchObject({ [TaskMetric.FAILED]: 1, [TaskMetric.SUCCEEDED]: 0 });
  });

  test('fails at once when the agent throws, and says why', async () => {
    const { record, deleted } = await work(() => {
      throw new Error('no idea');
    });
    expect(deleted).toBe(true);
    expect(record).toMatchObject({ status: 'failed', error: { code: 'agent_error', message: 'no idea' } });
  });

  test('fails with the code of a FatalError', async () => {
    const { record } = await work(() => {
      throw new FatalError('no such customer', { code: 'no_customer' });
    });
    expect(record.error).toEqual({ code: 'no_customer', message: 'no such customer' });
  });

  test('fails with result_too_large, stating both sizes', async () => {
    const { record } = await work(() => 'x'.repeat(MAX_PAYLOAD_BYTES));
    expect(record).toMatchObject({ status: 'failed', error: { code: 'result_too_large' } });
    expect(record.error?.message).toContain(String(MAX_PAYLOAD_BYTES));
    expect(record.error?.message).toContain(String(MAX_PAYLOAD_BYTES + 2));
    expect(record.result).toBeUndefined();
  });

  test('fails when the result is no JSON', async () => {
    const { record } = await work(() => ({ count: 1n }));
    expect(record).toMatchObject({ status: 'failed', error: { code: 'invalid_output' } });
  });

  test('fails when the result does not fit the output schema', async () => {
    const task = await cloud.putTask();
    const handler = createHandler(
      defineAgent({ input: question, output: z.object({ answer: z.string() }), run: () => JSON.parse('{"answer":1}') }),
    );
    await handler({ Records: [messageFor(task)] }, context());
    const { error } = await cloud.task(task.id);
    expect(error).toMatchObject({ code: 'invalid_output', message: expect.stringContaining('result.answer') });
  });

  test('times out at the limit of the release, also when the agent does not listen', async () => {
    cloud.s3 = () => ({ body: behaviorDocument({ limits: { ...behaviorDocument().limits, maxDurationMs: 80 } }) });
    const { record, deleted } = await work(() => new Promise(() => {}));
    expect(deleted).toBe(true);
    expect(record).toMatchObject({ status: 'timed_out', error: { code: 'timed_out' } });
    expect(record.error?.message).toContain('maxDurationMs = 80');
    expect(output.metrics()[0]).toMatchObject({ [TaskMetric.FAILED]: 1 });
  });

  test('times out before Lambda ends the function, and aborts the signal', async () => {
    const aborted = jest.fn();
    const { record } = await work(
      (ctx) => {
        ctx.signal.addEventListener('abort', aborted);
        return new Promise(() => {});
      },
      { remainingMs: 200 },
    );
    expect(record).toMatchObject({ status: 'timed_out' });
    expect(record.error?.message).toContain('before the timeout of its worker');
    expect(aborted).toHaveBeenCalled();
  });

  test.each([
    ['maxToolCalls', { maxToolCalls: 1 }],
    ['maxModelCalls', { maxModelCalls: 1 }],
    ['maxTokens', { maxTokens: 150 }],
    ['maxCost', { maxCost: 0.0003 }],
  ])('fails with limit_exceeded beyond %s, even if the agent catches it', async (limit, limits) => {
    cloud.s3 = () => ({ body: behaviorDocument({ limits: { ...behaviorDocument().limits, ...limits } }) });
    const { record } = await work(async (ctx) => {
      try {
        for (let round = 0; round < 2; round += 1) {
          await ctx.tool('search', { q: 'x' }, () => 'notes');
          await ctx.model.generate({ prompt: 'p' });
        }
      } catch {
        return 'went on regardless';
      }
      return 'never met a limit';
    });
    expect(record).toMatchObject({ status: 'failed', error: { code: 'limit_exceeded' } });
    expect(record.error?.message).toContain(limit);
    expect(record.result).toBeUndefined();
  });

  test('fails with model_refused and the words of the provider when it does not take the request', async () => {
    cloud.model = () => modelError(400, 'invalid_request_error', 'prompt is too long');
    const { record, deleted } = await work(async (ctx) => (await ctx.model.generate({ prompt: 'p' })).text);
    expect(deleted).toBe(true);
    expect(record.error).toMatchObject({
      code: 'model_refused',
      message: expect.stringContaining('prompt is too long'),
    });
  });

  test('keeps the value of a secret out of the task and the log', async () => {
    const { record } = await work(async (ctx) => {
      const key = await ctx.secret('anthropic');
      ctx.logger.info(`the key is ${key}`, { nested: { key } });
      throw new Error(`could not use ${key}`);
    });
    expect(record.error?.message).toBe('could not use ***');
    expect(output.text).not.toContain(KEY);
    expect(output.log('the key is')).toMatchObject({ nested: { key: '***' } });
  });
});

describe('an attempt that may be repeated', () => {
  test.each([
    [429, 'rate_limit_error', 'model_throttled', 'waits in its queue'],
    [500, 'api_error', 'model_unavailable', 'returns to its queue'],
    [529, 'overloaded_error', 'model_throttled', 'waits in its queue'],
  ])(
    'goes back to the queue after a %i of the provider, which is asked only once',
    async (status, type, code, says) => {
      cloud.model = () => modelError(status, type, 'slow down');
      const { record, deleted } = await work(async (ctx) => (await ctx.model.generate({ prompt: 'p' })).text);
      expect(deleted).toBe(false);
      expect(record).toMatchObject({ status: 'queued', attempts: 1, usage: { modelCalls: 1 } });
      expect(cloud.stubs.model.requests).toHaveLength(1);
      expect(output.metrics().flatMap((line) => line[TaskMetric.FINISHED] ?? [])).toEqual([]);
      expect(output.log(says)).toMatchObject({
        code,
        reason: expect.stringContaining(`${status} ${type}: slow down`),
      });
    },
  );

  test('goes back to the queue when the provider does not answer in time', async () => {
    cloud.s3 = () => ({ body: behaviorDocument({ model: { ...behaviorDocument().model, timeoutMs: 50 } }) });
    cloud.model = () => 'hang';
    const { record, deleted } = await work(async (ctx) => (await ctx.model.generate({ prompt: 'p' })).text);
    expect(deleted).toBe(false);
    expect(record.status).toBe('queued');
    expect(output.log('returns to its queue')).toMatchObject({ reason: expect.stringContaining('within 50 ms') });
  });

  test('can be claimed at once by the next attempt, and adds up what both used', async () => {
    const task = await cloud.putTask();
    const handler = createHandler(agentThat(async (ctx) => (await ctx.model.generate({ prompt: 'p' })).text));
    cloud.model = () => modelError(503, 'api_error', 'away');
    expect(await handler({ Records: [messageFor(task)] }, context())).toEqual({
      batchItemFailures: [{ itemIdentifier: `m-${task.id}` }],
    });
    cloud.model = () => ({ body: modelMessage('back') });
    expect(await handler({ Records: [messageFor(task, { receives: 2 })] }, context())).toEqual({
      batchItemFailures: [],
    });
    expect(await cloud.task(task.id)).toMatchObject({
      status: 'succeeded',
      attempts: 2,
      result: 'back',
      usage: { modelCalls: 2, inputTokens: 100 },
    });
    expect(output.metrics().flatMap((line) => line[TaskMetric.FINISHED] ?? [])).toEqual([1]);
  });

  test('reads a key that the provider does not accept again, and continues with the new one', async () => {
    let current = 'sk-old-0123456789';
    cloud.secrets = () => {
      const SecretString = current;
      current = KEY;
      return { body: { ARN: 'x', SecretString } };
    };
    cloud.model = ({ headers }) =>
      headers.authorization === `Bearer ${KEY}`
        ? { body: modelMessage('fine') }
        : modelError(401, 'authentication_error', 'invalid x-api-key');
    const { record } = await work(async (ctx) => (await ctx.model.generate({ prompt: 'p' })).text);
    expect(record).toMatchObject({ status: 'succeeded', result: 'fine', usage: { modelCalls: 1 } });
    expect(cloud.stubs.model.requests).toHaveLength(2);
  });

  test('fails when the provider does not accept the key and there is no newer one', async () => {
    cloud.model = () => modelError(401, 'authentication_error', 'invalid x-api-key');
    const { record } = await work(async (ctx) => (await ctx.model.generate({ prompt: 'p' })).text);
    expect(record.error).toMatchObject({ code: 'model_unauthorized' });
    expect(cloud.stubs.model.requests).toHaveLength(1);
  });
});

describe('a message', () => {
  test.each([
    ['is no JSON', 'not json', /not JSON/],
    ['has an unknown version', JSON.stringify({ version: 2, anything: 1 }), /version 2, this worker reads version 1/],
    ['lacks a field', JSON.stringify({ version: 1, agent: AGENT }), /taskId/],
  ])('that %s is left in the queue, and the log says why', async (_, body, reason) => {
    const task = await cloud.putTask();
    const handler = createHandler(agentThat(() => 'never'));
    const { batchItemFailures } = await handler({ Records: [{ ...messageFor(task), body }] }, context());
    expect(batchItemFailures).toHaveLength(1);
    expect((await cloud.task(task.id)).status).toBe('queued');
    expect(output.log(reason)).toMatchObject({ level: 'ERROR', outcome: 'refused' });
  });

  test('for another agent is left', async () => {
    const { deleted, record } = await work(() => 'never', { envelope: { agent: 'billing' } });
    expect(deleted).toBe(false);
    expect(record.status).toBe('queued');
    expect(output.log('for agent "billing"')).toBeDefined();
  });

  test.each(['succeeded', 'failed', 'timed_out', 'cancelled'] as const)(
    'for a task that is %s already is deleted, and nothing is run or written',
    async (status) => {
      const run = jest.fn();
      const { deleted, record } = await work(run, { task: { status, finishedAt: 5 } });
      expect(deleted).toBe(true);
      expect(record).toMatchObject({ status, finishedAt: 5, attempts: 0 });
      expect(run).not.toHaveBeenCalled();
      expect(output.metrics()).toEqual([]);
    },
  );

  test("for a task that another worker holds is left as that task's insurance", async () => {
    const run = jest.fn();
    const lease = { token: 'other', expiresAt: Date.now() + 30_000 };
    const { deleted, record } = await work(run, { task: { status: 'running', lease } });
    expect(deleted).toBe(false);
    expect(record).toMatchObject({ status: 'running', lease });
    expect(run).not.toHaveBeenCalled();
    expect(output.log('another worker holds the lease')).toMatchObject({ outcome: 'held' });
  });

  test('for a task whose worker is gone is claimed', async () => {
    const lease = { token: 'other', expiresAt: Date.now() - 1 };
    const { deleted, record } = await work(() => 'second try', {
      receives: 2,
      task: { status: 'running', attempts: 1, lease },
    });
    expect(deleted).toBe(true);
    expect(record).toMatchObject({ status: 'succeeded', attempts: 2, result: 'second try' });
  });

  test('for a task without a record is deleted', async () => {
    const handler = createHandler(agentThat(() => 'never'));
    const task = { ...(await cloud.putTask()), id: `t-${'f'.repeat(32)}` };
    expect(await handler({ Records: [messageFor(task)] }, context())).toEqual({ batchItemFailures: [] });
    expect(output.log('has no record')).toBeDefined();
  });

  test('in a batch stands for itself: only what failed is left', async () => {
    const good = await cloud.putTask();
    const bad = await cloud.putTask({ input: { question: 'bad' } });
    const handler = createHandler(
      agentThat((_, input) => {
        if (input.question === 'bad') {
          throw new RetryableError('later');
        }
        return 'ok';
      }),
    );
    const { batchItemFailures } = await handler({ Records: [messageFor(good), messageFor(bad)] }, context());
    expect(batchItemFailures).toEqual([{ itemIdentifier: `m-${bad.id}` }]);
    expect((await cloud.task(good.id)).status).toBe('succeeded');
  });
});

test('a result that comes after the lease has passed on is logged and counted, and not written', async () => {
  const { record, deleted } = await work(async (ctx) => {
    const { documents } = cloud;
    const taken = {
      ...(await cloud.task(ctx.task.id)),
      attempts: 2,
      lease: { token: 'other', expiresAt: Date.now() + 30_000 },
    };
    await documents.send(new PutCommand({ TableName: 'tasks', Item: { pk: ctx.task.id, sk: 'TASK', ...taken } }));
    return 'late';
  });
  expect(deleted).toBe(false);
  expect(record).toMatchObject({ status: 'running', attempts: 2, lease: { token: 'other' } });
  expect(record.result).toBeUndefined();
  expect(output.log('late result discarded')).toMatchObject({ outcome: 'late', result: 'succeeded' });
  expect(output.metrics()).toEqual([expect.objectContaining({ [WorkerMetric.LATE]: 1 })]);
});

describe('the environment', () => {
  test('fails the first invocation with one line that names the settings that are missing', async () => {
    process.env = { ...environment, ...cloud.environment() };
    delete process.env.AGENT_LANES_RELEASE;
    delete process.env.AGENT_LANES_TASKS_TABLE;
    const handler = createHandler(agentThat(() => 'ok'));
    const failure = await handler({ Records: [] }, context()).catch((error: unknown) => error);
    expect(String(failure)).toContain('AGENT_LANES_RELEASE is missing');
    expect(String(failure)).toContain('AGENT_LANES_TASKS_TABLE is missing');
    expect(String(failure)).not.toContain('\n');
  });

  test('refuses a default export that is no agent', () => {
    expect(() => createHandler({ run: () => 1 } as never)).toThrow(/expected an agent: export default defineAgent/);
  });

  test('loads the behavior once, and again after a failure', async () => {
    const handler = createHandler(agentThat(() => 'ok'));
    cloud.s3 = () => ({ status: 404, body: '<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>' });
    const first = await cloud.putTask();
    expect((await handler({ Records: [messageFor(first)] }, context())).batchItemFailures).toHaveLength(1);
    expect(output.log('returns to its queue')).toMatchObject({
      code: 'behavior_unavailable',
      reason: expect.stringContaining('s3://assets/behavior.json'),
    });
    cloud.reset();
    for (const receives of [2, 1, 1]) {
      const task = receives === 2 ? first : await cloud.putTask();
      await handler({ Records: [messageFor(task, { receives })] }, context());
      expect((await cloud.task(task.id)).status).toBe('succeeded');
    }
    expect(cloud.stubs.s3.requests).toHaveLength(1);
  });

  test('refuses a behavior of another release, and keeps the task for a worker that is whole', async () => {
    cloud.s3 = () => ({ body: behaviorDocument({ release: 'r-ffffffffffff' }) });
    const { record, deleted } = await work(() => 'never');
    expect(deleted).toBe(false);
    expect(record.status).toBe('queued');
    expect(output.log('returns to its queue')).toMatchObject({
      code: 'behavior_mismatch',
      reason: expect.stringMatching(/holds release r-ffffffffffff, but .* release r-0123456789ab/),
    });
  });

  test('runs two invocations at once without mixing their state', async () => {
    const handler = createHandler(
      agentThat(async (ctx, input) => {
        const rounds = Number(input.question);
        for (let round = 0; round < rounds; round += 1) {
          await ctx.tool('search', { q: input.question }, () => new Promise((resolve) => setTimeout(resolve, 5)));
        }
        await ctx.session.get();
        await ctx.session.put({ rounds });
        ctx.score(rounds / 10);
        ctx.logger.info('done', { rounds });
        return { rounds, user: ctx.task.user };
      }),
    );
    const tasks = await Promise.all(
      [1, 2, 3, 4].map((rounds) =>
        cloud.putTask({ input: { question: String(rounds) }, user: `u${rounds}`, session: `mix-${rounds}` }),
      ),
    );
    await Promise.all(tasks.map((task) => handler({ Records: [messageFor(task)] }, context())));
    for (const [index, { id }] of tasks.entries()) {
      const rounds = index + 1;
      const record = await cloud.task(id);
      expect(record).toMatchObject({
        status: 'succeeded',
        result: { rounds, user: `u${rounds}` },
        usage: { toolCalls: rounds },
        score: rounds / 10,
      });
      expect(await cloud.session(`mix-${rounds}`)).toMatchObject({ state: { rounds }, version: 1 });
      expect(output.logs().filter((line) => line.message === 'done' && line.rounds === rounds)).toEqual([
        expect.objectContaining({ task: id }),
      ]);
      const measured = output.metrics().filter((line) => line.task === id);
      expect(measured).toEqual([expect.objectContaining({ [TaskMetric.TOOL_CALLS]: rounds })]);
    }
  });
});
