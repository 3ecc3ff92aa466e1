import { z } from 'zod';
import { type AgentContext, type AgentDefinition, defineAgent } from '../../../../lambda/runtime';
import { createHandler } from '../../../../lambda/worker';
import { Env, probeResultSchema } from '../../../../lib/contract';
import { Output } from '../support/output';
import { behaviorDocument, context, KEY_ARN, messageFor, modelError, RELEASE, TaskCloud } from '../support/task-cloud';

let cloud: TaskCloud;
let output: Output;
const environment = process.env;

beforeAll(async () => {
  cloud = await TaskCloud.start();
});

afterAll(() => cloud.close());

beforeEach(() => {
  cloud.reset();
  // Pauses are in the cloud's time: make it run fast.
  const clock = JSON.stringify({ realEpochMs: Date.now(), cloudEpochMs: Date.now(), speed: 1_000 });
  process.env = { ...environment, ...cloud.environment({ [Env.CLOCK]: clock }) };
  output = new Output();
});

afterEach(() => {
  output.restore();
  process.env = environment;
});

const input = z.object({ question: z.string() });
const silent = defineAgent({ input, run: () => 'never run' });

const probe = () => probeOf(silent);

async function probeOf<I, O>(agent: AgentDefinition<I, O>, remainingMs?: number) {
  const task = await cloud.putTask({ mode: 'probe', lane: 'candidate', priority: 'high', input: null });
  const message = messageFor(task, { trace: 'Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1' });
  const { batchItemFailures } = await createHandler(agent)({ Records: [message] }, context(remainingMs));
  expect(batchItemFailures).toEqual([]);
  const record = await cloud.task(task.id);
  const result = probeResultSchema.parse(record.result);
  return { record, result, check: (name: string) => result.checks.find((each) => each.name === name) };
}

test('of a sound release succeeds, with every check and the trace under which it ran', async () => {
  const { record, result } = await probe();
  expect(record).toMatchObject({
    status: 'succeeded',
    release: RELEASE,
    trace: 'Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1',
    usage: { modelCalls: 1 },
  });
  expect(result.release).toBe(RELEASE);
  expect(result.checks.map(({ name, ok }) => [name, ok])).toEqual([
    ['behavior', true],
    ['secret:anthropic', true],
    ['sessions', true],
    ['model', true],
  ]);
  expect(cloud.stubs.model.requests[0]?.body).toMatchObject({ max_tokens: 16 });
});

test('emits no task metrics', async () => {
  await probe();
  expect(output.metrics()).toEqual([]);
});

test('runs the agent on its probe input, in probe mode, with a session that has no owner', async () => {
  const seen: Partial<Pick<AgentContext, 'mode' | 'task'>>[] = [];
  const { check, record } = await probeOf(
    defineAgent({
      input,
      probe: { input: { question: 'well?' }, check: (answer) => (answer === 'well!' ? undefined : `said ${answer}`) },
      run: async (task, ctx) => {
        seen.push({ mode: ctx.mode, task: ctx.task });
        await ctx.session.get();
        await ctx.session.put({ seen: true });
        await ctx.tool('search', { q: task.input.question }, () => 'notes');
        return 'well!';
      },
    }),
  );
  expect(check('agent')).toMatchObject({ ok: true });
  expect(check('model')).toBeUndefined();
  expect(record.usage).toMatchObject({ toolCalls: 1, modelCalls: 0 });
  expect(seen).toEqual([expect.objectContaining({ mode: 'probe' })]);
  expect(seen[0]?.task?.session).toMatch(/^probe#t-/);
});

test("fails when the answer does not satisfy the agent's own check", async () => {
  const { check, record } = await probeOf(
    defineAgent({
      input,
      probe: { input: { question: 'well?' }, check: (answer) => `said ${answer}` },
      run: () => 'hm',
    }),
  );
  expect(check('agent')).toMatchObject({ ok: false, message: 'probe_check: said hm' });
  expect(record).toMatchObject({
    status: 'failed',
    error: { code: 'probe_failed', message: expect.stringContaining('said hm') },
  });
});

test("fails when the probe input does not fit the agent's own schema", async () => {
  const { check } = await probeOf(
    defineAgent({ input, probe: { input: JSON.parse('{"question":1}') }, run: () => 'never' }),
  );
  expect(check('agent')?.message).toMatch(/^invalid_input: input\.question/);
});

test('names the secret that cannot be read, and still tries the rest', async () => {
  const second = `${KEY_ARN}-2`;
  process.env[Env.SECRETS] = JSON.stringify({ anthropic: KEY_ARN, crm: second });
  cloud.secrets = ({ body }) =>
    JSON.stringify(body).includes(second)
      ? { status: 400, body: { __type: 'ResourceNotFoundException', message: 'no such secret' } }
      : { body: { ARN: KEY_ARN, SecretString: 'sk-stub-0123456789' } };
  const { record, check } = await probe();
  expect(record.status).toBe('failed');
  expect(check('secret:crm')).toMatchObject({ ok: false, message: expect.stringContaining('no such secret') });
  expect(check('secret:anthropic')).toMatchObject({ ok: true });
  expect(check('sessions')).toMatchObject({ ok: true });
  expect(check('model')).toMatchObject({ ok: true });
});

test('fails at once when the model is not there for long', async () => {
  cloud.model = () => modelError(529, 'overloaded_error', 'busy');
  const { record, check } = await probe();
  expect(record.status).toBe('failed');
  expect(check('model')).toMatchObject({ ok: false, message: expect.stringContaining('529 overloaded_error: busy') });
  expect(cloud.stubs.model.requests).toHaveLength(3);
});

test('gets over a single failure of the provider', async () => {
  let calls = 0;
  const good = cloud.model;
  cloud.model = (request) => {
    calls += 1;
    return calls === 1 ? modelError(429, 'rate_limit_error', 'slow down') : good(request);
  };
  expect((await probe()).record.status).toBe('succeeded');
});

test('fails when the session store cannot be used', async () => {
  process.env[Env.SESSIONS_TABLE] = 'no-such-table';
  const { check } = await probe();
  expect(check('sessions')).toMatchObject({ ok: false, message: expect.stringContaining('could not be read') });
});

test('fails when the behavior is that of another release, without trying what depends on it', async () => {
  cloud.s3 = () => ({ body: behaviorDocument({ release: 'r-ffffffffffff' }) });
  const { record, result } = await probe();
  expect(record.status).toBe('failed');
  expect(result.checks).toEqual([
    expect.objectContaining({ name: 'behavior', ok: false, message: expect.stringContaining('r-ffffffffffff') }),
  ]);
});

/** So many calls of an operation are refused from now on. The SDK makes three before it gives up. */
function away(calls: number, operation: string): void {
  let refused = 0;
  cloud.wire.fault = (call) => {
    if (call.operation !== operation || refused >= calls) {
      return undefined;
    }
    refused += 1;
    return 'refuse';
  };
}

describe('what says nothing about the release', () => {
  test('is tried again: the behavior', async () => {
    let calls = 0;
    cloud.s3 = () => {
      calls += 1;
      return calls <= 5 ? { status: 503, body: '<Error><Code>SlowDown</Code></Error>' } : { body: behaviorDocument() };
    };
    const { record } = await probe();
    expect(record.status).toBe('succeeded');
    expect(calls).toBe(6);
    expect(output.log('probe check failed; retrying')).toMatchObject({ check: 'behavior' });
  });

  test('is tried again: a secret', async () => {
    let calls = 0;
    const good = cloud.secrets;
    cloud.secrets = (request) => {
      calls += 1;
      return calls <= 4 ? { status: 500, body: { __type: 'InternalServiceError', message: 'away' } } : good(request);
    };
    expect((await probe()).record.status).toBe('succeeded');
  });

  test.each(['GetItem', 'PutItem'])('is tried again: the session store at %s', async (operation) => {
    away(5, operation);
    expect((await probe()).record.status).toBe('succeeded');
  });

  test('is no reason to refuse it: a session that was written and whose answer was lost', async () => {
    let lost = 0;
    cloud.wire.fault = ({ operation }) => {
      if (operation !== 'PutItem' || lost === 1) {
        return undefined;
      }
      lost += 1;
      return 'lose';
    };
    const { record } = await probe();
    expect(lost).toBe(1);
    expect(record.status).toBe('succeeded');
  });

  test('is not waited for when the worker has to end first', async () => {
    let calls = 0;
    cloud.s3 = () => {
      calls += 1;
      return { status: 503, body: '<Error><Code>SlowDown</Code></Error>' };
    };
    const { result } = await probeOf(silent, 5_000);
    expect(result.checks).toMatchObject([
      { name: 'behavior', ok: false, message: expect.stringContaining('could not be read') },
    ]);
    expect(calls).toBe(3);
  });

  test('fails it all the same when it lasts, with the reason', async () => {
    away(Number.POSITIVE_INFINITY, 'PutItem');
    const { record, check } = await probe();
    expect(record.status).toBe('failed');
    expect(check('sessions')).toMatchObject({ ok: false, message: expect.stringContaining('could not be written') });
    expect(check('model')).toMatchObject({ ok: true });
  });
});

test('fails at the first try for what tries do not change', async () => {
  process.env[Env.SESSIONS_TABLE] = 'no-such-table';
  await probe();
  expect(output.text).not.toContain('probe check failed; retrying');
});
