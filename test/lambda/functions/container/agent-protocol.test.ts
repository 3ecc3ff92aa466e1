import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { AgentContainer } from '../../../../lambda/functions/container/agent-container';
import { TaskRequeuedError } from '../../../../lambda/runtime/errors';
import { MAX_PAYLOAD_BYTES, SessionKey, TaskKey, WorkerMetric } from '../../../../lib/contract';
import { FakeClock } from '../../shared/support/fakes';
import {
  AGENT,
  behaviorDocument,
  KEY,
  KEY_ARN,
  modelError,
  modelMessage,
  RELEASE,
  SESSIONS,
  TASKS,
} from '../../worker/support/task-cloud';
import { BREAK, BridgeBench, Reply } from './support/bridge-bench';
import { until } from './support/container-process';

const bench = new BridgeBench();

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Behavior with other limits. */
const limited = (limits: Record<string, number>) => {
  bench.cloud.s3 = () => ({ body: behaviorDocument({ limits: { ...behaviorDocument().limits, ...limits } }) });
};

describe('a task', () => {
  test('reaches the agent with all that is known of it, and its answer is the result', async () => {
    const { record, deleted } = await bench.bridged(
      ({ request }) => ({ result: { asked: request.input, of: request.task } }),
      {
        task: { session: 'chat-7', priority: 'high' },
      },
    );
    expect(deleted).toBe(true);
    expect(record).toMatchObject({
      status: 'succeeded',
      release: RELEASE,
      result: {
        asked: { question: 'why?' },
        of: {
          id: record.id,
          attempt: 1,
          agent: 'support',
          release: RELEASE,
          lane: 'stable',
          priority: 'high',
          mode: 'live',
          user: 'user-1',
          session: 'chat-7',
          createdAt: new Date(record.createdAt).toISOString(),
        },
      },
    });
  });

  test.each([
    [
      'a fatal error',
      { code: 'no_customer', message: 'no such customer', kind: 'fatal' },
      'failed',
      'no_customer',
      true,
    ],
    ['a retryable error', { code: 'crm_away', message: 'away', kind: 'retryable' }, 'queued', undefined, false],
    ['a throttled error', { code: 'crm_busy', message: 'busy', kind: 'throttled' }, 'queued', undefined, false],
  ])('that ends with %s goes where the agent says', async (_, error, status, code, deleted) => {
    const { record, ...rest } = await bench.bridged(() => ({ error }));
    expect(rest.deleted).toBe(deleted);
    expect(record.status).toBe(status);
    expect(record.error?.code).toBe(code);
    expect(record.uncounted ?? 0).toBe(error.kind === 'throttled' ? 1 : 0);
  });

  test('is not tried again before the agent wants', async () => {
    await bench.bridged(() => ({ error: { code: 'x', message: 'later', kind: 'retryable', retryAfterSeconds: 300 } }));
    const [hidden = 0] = bench.cloud.hidden();
    expect(hidden).toBeGreaterThanOrEqual(300);
    expect(hidden).toBeLessThanOrEqual(306);
  });

  test.each([
    ['500 without a word', new Reply(500, 'Internal Server Error'), 'failed', 'agent_error'],
    ['400 without a word', new Reply(400, ''), 'failed', 'agent_error'],
    ['an error of its own and 500', new Reply(500, '{"error":{"code":"oops","message":"m"}}'), 'failed', 'oops'],
    ['text', new Reply(200, 'done'), 'failed', 'agent_protocol'],
    ['a member too many', new Reply(200, '{"result":1,"score":1}'), 'failed', 'agent_protocol'],
    ['a result and an error status', new Reply(500, '{"result":1}'), 'failed', 'agent_error'],
    ['503 of a proxy', new Reply(503, '<html>', { 'retry-after': '60' }), 'queued', 'agent_unavailable'],
    ['429 of a proxy', new Reply(429, ''), 'queued', 'agent_throttled'],
    ['404: it serves no /run', new Reply(404, 'not found'), 'queued', 'agent_protocol'],
    ['nothing: the connection breaks off', BREAK, 'queued', 'agent_unreachable'],
  ])('whose agent answers %s', async (_, answer, status, code) => {
    const { record } = await bench.bridged(() => answer);
    expect(record.status).toBe(status);
    expect(record.error?.code ?? bench.output.logs().find((line) => 'code' in line)?.code).toBe(code);
  });

  test('of an unreachable agent is tried again, and never fails for good before its attempts are used up', async () => {
    const { record } = await bench.bridged(() => BREAK, { task: { attempts: 1 } });
    expect(record).toMatchObject({ status: 'queued', attempts: 2 });
    const last = await bench.bridged(() => BREAK, { task: { attempts: 2 } });
    expect(last.record).toMatchObject({ status: 'failed', exhausted: true, error: { code: 'agent_unreachable' } });
  });

  test.each([
    ['breaks off', BREAK, false],
    ['is answered with an error', new Reply(503, ''), true],
  ])('that %s leaves its agent doubted only where no agent is there', async (_, answer, healthy) => {
    let agent: AgentContainer | undefined;
    await bench.bridged(() => answer, {
      onStarted: (container) => {
        agent = container;
        expect(container.state.healthy).toBe(true);
      },
    });
    expect(agent?.state.healthy).toBe(healthy);
  });

  test('with a result that is too large fails, and says how large it may be', async () => {
    const { record } = await bench.bridged(() => ({ result: 'x'.repeat(MAX_PAYLOAD_BYTES + 100_000) }));
    expect(record.error).toMatchObject({
      code: 'result_too_large',
      message: expect.stringContaining(String(MAX_PAYLOAD_BYTES)),
    });
  });

  test('keeps secrets out of what the agent says of its failure', async () => {
    const { record } = await bench.bridged(async ({ call }) => {
      const { body } = await call('GET', '/secrets/anthropic');
      return { error: { code: 'leak', message: `the key ${body.value} is wrong` } };
    });
    expect(record.error?.message).toBe('the key *** is wrong');
    expect(bench.output.text).not.toContain(KEY);
  });
});

describe('the end of an attempt that the agent did not choose', () => {
  test('is told to it by POST /cancel, and the connection is closed', async () => {
    limited({ maxDurationMs: 300 });
    let wasClosed = false;
    const { record } = await bench.bridged(async ({ closed }) => {
      await closed;
      wasClosed = true;
    });
    expect(record).toMatchObject({ status: 'timed_out', error: { code: 'timed_out' } });
    await until(() => wasClosed && bench.cancelled.length > 0, 'the agent to hear of it');
    expect(bench.cancelled).toMatchObject([
      {
        protocol: 1,
        task: { id: record.id, attempt: 1 },
        reason: 'timed_out',
        message: expect.stringContaining('maxDurationMs = 300'),
      },
    ]);
  });

  test('a limit that it exceeds ends the attempt, whatever it answers', async () => {
    limited({ maxToolCalls: 1 });
    const seen: unknown[] = [];
    const { record } = await bench.bridged(async ({ call }) => {
      for (const q of ['a', 'b']) {
        const begun = await call('POST', '/tools', { name: 'search', input: { q } });
        seen.push(begun.status, begun.body.error?.code, begun.body.error?.kind);
        if (begun.status === 200) {
          await call('POST', `/steps/${begun.body.step}/finish`, { value: 1 });
        }
      }
      return { result: 'went on regardless' };
    });
    expect(record).toMatchObject({ status: 'failed', error: { code: 'limit_exceeded' } });
    expect(seen).toEqual([200, undefined, undefined, 410, 'limit_exceeded', 'ended']);
    expect(bench.cancelled).toMatchObject([{ reason: 'limit_exceeded' }]);
  });

  test('a token of another attempt, or none, opens nothing', async () => {
    const seen: unknown[] = [];
    const { record } = await bench.bridged(async ({ raw, request }) => {
      const { token } = request.worker;
      for (const wrong of ['', `${token}0`, token.replace(/./, 'x')]) {
        const { status, body } = await raw('POST', '/steps', '{"name":"x"}', wrong);
        seen.push([status, body.error.code]);
      }
      const other = request.worker.url.replace(/.$/, 'f');
      seen.push((await fetch(other, { headers: { authorization: `Bearer ${token}` } })).status);
      return { result: null };
    });
    expect(record.status).toBe('succeeded');
    expect(seen).toEqual([[410, 'attempt_ended'], [410, 'attempt_ended'], [410, 'attempt_ended'], 410]);
  });

  test('a cancelled task is cancelled in its container', async () => {
    bench.fast(60);
    const { record } = await bench.bridged(
      async ({ call, closed }) => {
        const { body } = await call('GET', '');
        await bench.cloud.documents.send(
          new UpdateCommand({
            TableName: TASKS,
            Key: TaskKey.task(body.task.id),
            UpdateExpression: 'SET cancelRequestedAt = :now',
            ExpressionAttributeValues: { ':now': Date.now() },
          }),
        );
        await closed;
      },
      { task: {} },
    );
    expect(record.status).toBe('cancelled');
    await until(() => bench.cancelled.length > 0, 'the agent to hear of it');
    expect(bench.cancelled).toMatchObject([{ reason: 'cancelled' }]);
  });
});

describe('steps', () => {
  test('are done once per task: a later attempt gets what an earlier one finished, with the same key for the outside', async () => {
    const task = await bench.cloud.putTask();
    const keys: unknown[] = [];
    await bench.delivered(task, async ({ call }) => {
      const first = await call('POST', '/steps', { name: 'charge', input: { amount: 3 } });
      expect(first.body).toMatchObject({ state: 'begun', sandboxed: false });
      const finished = await call('POST', `/steps/${first.body.step}/finish`, { value: { paid: true } });
      expect(finished).toEqual({ status: 200, body: { value: { paid: true } } });
      const second = await call('POST', '/steps', { name: 'mail' });
      keys.push(second.body.idempotencyKey);
      // Dies in the midst of the second step.
      return BREAK;
    });
    const { record } = await bench.delivered(
      task,
      async ({ call }) => {
        const first = await call('POST', '/steps', { name: 'charge', input: { amount: 3 } });
        expect(first).toEqual({ status: 200, body: { state: 'finished', value: { paid: true } } });
        const second = await call('POST', '/steps', { name: 'mail' });
        expect(second.body.state).toBe('begun');
        keys.push(second.body.idempotencyKey);
        await call('POST', `/steps/${second.body.step}/finish`, { value: null });
        return { result: 'done' };
      },
      { receives: 2 },
    );
    expect(record).toMatchObject({ status: 'succeeded', attempts: 2, result: 'done' });
    expect(keys[0]).toBe(keys[1]);
    expect(bench.metric(WorkerMetric.REPLAYED_STEPS)).toEqual([1]);
  });

  test('that failed may be begun again under their names', async () => {
    const { record } = await bench.bridged(async ({ call }) => {
      const first = await call('POST', '/steps', { name: 'flaky' });
      expect(await call('POST', `/steps/${first.body.step}/fail`, { message: 'no luck' })).toEqual({
        status: 200,
        body: {},
      });
      const second = await call('POST', '/steps', { name: 'flaky' });
      expect(second.body.state).toBe('begun');
      const { body } = await call('POST', `/steps/${second.body.step}/finish`, { value: 2 });
      return { result: body.value };
    });
    expect(record).toMatchObject({ status: 'succeeded', result: 2 });
  });

  test('within others go with them: nothing is asked for in vain when the outer one is replayed', async () => {
    const task = await bench.cloud.putTask();
    const outer = async (call: Parameters<Parameters<typeof bench.bridged>[0]>[0]['call']) => {
      const { body } = await call('POST', '/steps', { name: 'outer' });
      if (body.state === 'finished') {
        return body.value;
      }
      const inner = await call('POST', '/tools', { name: 'search', input: { q: 'x' }, parent: body.step });
      await call('POST', `/steps/${inner.body.step}/finish`, { value: 'notes' });
      await call('POST', '/usage', {
        model: 'claude-haiku-4-5-20251001',
        inputTokens: 10,
        outputTokens: 1,
        parent: body.step,
      });
      return (await call('POST', `/steps/${body.step}/finish`, { value: 'outer' })).body.value;
    };
    await bench.delivered(task, async ({ call }) => {
      await outer(call);
      return BREAK;
    });
    const { record } = await bench.delivered(
      task,
      async ({ call }) => {
        expect(await outer(call)).toBe('outer');
        // The same tool outside of it is another call.
        const again = await call('POST', '/tools', { name: 'search', input: { q: 'x' } });
        expect(again.body.state).toBe('begun');
        await call('POST', `/steps/${again.body.step}/finish`, { value: 'other notes' });
        return { result: null };
      },
      { receives: 2 },
    );
    expect(record).toMatchObject({ status: 'succeeded', usage: { toolCalls: 2, modelCalls: 1 } });
    expect(bench.output.text).not.toContain('without using steps');
  });

  test('any number may be in progress at once', async () => {
    const { record } = await bench.bridged(async ({ call }) => {
      const begun = await Promise.all([1, 2, 3, 4].map((n) => call('POST', '/steps', { name: `n:${n}` })));
      const values = await Promise.all(
        begun.map(({ body }, index) => call('POST', `/steps/${body.step}/finish`, { value: index })),
      );
      return { result: values.map(({ body }) => body.value) };
    });
    expect(record.result).toEqual([0, 1, 2, 3]);
  });

  test('refuse what cannot be, and say so', async () => {
    const seen: unknown[] = [];
    await bench.bridged(async ({ call }) => {
      const { body } = await call('POST', '/steps', { name: 'once' });
      await call('POST', `/steps/${body.step}/finish`, { value: 1 });
      for (const [path, sent] of [
        [`/steps/${body.step}/finish`, { value: 2 }],
        ['/steps/s99/fail', { message: '' }],
        ['/steps', { name: 'part', parent: body.step }],
        ['/steps', { name: '' }],
        ['/steps', { name: 'ä'.repeat(300) }],
        ['/steps', { name: 'x', iput: 1 }],
        [`/steps/${body.step}/finish`, {}],
      ] as const) {
        const answered = await call('POST', path, sent);
        seen.push([answered.status, answered.body.error.code]);
      }
      // One name for two things ends the attempt, as in every agent.
      const twice = await call('POST', '/steps', { name: 'once' });
      seen.push([twice.status, twice.body.error.code]);
      return { result: null };
    });
    expect(seen).toEqual([
      [409, 'step_unknown'],
      [409, 'step_unknown'],
      [409, 'step_unknown'],
      [400, 'invalid_request'],
      [400, 'invalid_request'],
      [400, 'invalid_request'],
      [400, 'invalid_request'],
      [410, 'step_name'],
    ]);
  });

  test('with a value that is too large are refused before they are read to the end', async () => {
    const seen: number[] = [];
    const { record } = await bench.bridged(async ({ call }) => {
      const { body } = await call('POST', '/steps', { name: 'big' });
      seen.push(
        (await call('POST', `/steps/${body.step}/finish`, { value: 'x'.repeat(MAX_PAYLOAD_BYTES + 200_000) })).status,
      );
      const { body: again } = await call('GET', '');
      return { result: again.task.attempt };
    });
    expect(seen).toEqual([413]);
    expect(record).toMatchObject({ status: 'succeeded', result: 1 });
  });
});

describe('tools', () => {
  test('are checked by the schema of the release, and counted', async () => {
    const seen: unknown[] = [];
    const { record } = await bench.bridged(async ({ call }) => {
      for (const sent of [
        { name: 'search', input: { q: 7 } },
        { name: 'unheard-of', input: {} },
      ]) {
        const { status, body } = await call('POST', '/tools', sent);
        seen.push([status, body.error.code, body.error.kind]);
      }
      const { body } = await call('POST', '/tools', { name: 'search', input: { q: 'x' } });
      await call('POST', `/steps/${body.step}/finish`, { value: 'notes' });
      return { result: null };
    });
    expect(seen).toEqual([
      [422, 'tool_input', 'fatal'],
      [422, 'tool_unknown', 'fatal'],
    ]);
    // One whose input was refused counts: it was called.
    expect(record).toMatchObject({ status: 'succeeded', usage: { toolCalls: 2 } });
    expect(bench.output.log('tool answered')).toMatchObject({ tool: 'search', outcome: 'ok' });
  });

  test('run as their sandbox where the environment wants that, and are refused without one', async () => {
    bench.cloud.s3 = () => ({ body: behaviorDocument({ sandboxedTools: ['search'] }) });
    const { record } = await bench.bridged(async ({ call }) => {
      const without = await call('POST', '/tools', { name: 'search', input: { q: 'x' } });
      expect([without.status, without.body.error.code]).toEqual([422, 'tool_sandboxed']);
      const { body } = await call('POST', '/tools', { name: 'search', input: { q: 'x' }, sandbox: true });
      expect(body.sandboxed).toBe(true);
      await call('POST', `/steps/${body.step}/finish`, { value: 'pretended' });
      return { result: null };
    });
    expect(record.status).toBe('succeeded');
    expect(bench.output.log('tool answered')).toMatchObject({ sandboxed: true });
  });
});

describe('models', () => {
  test('are asked through the release, priced, and not paid twice', async () => {
    const task = await bench.cloud.putTask();
    const ask = { prompt: 'Hello', system: 'be brief', maxTokens: 50 };
    await bench.delivered(task, async ({ call }) => {
      const { status, body } = await call('POST', '/model', ask);
      expect([status, body]).toEqual([
        200,
        {
          text: 'fine',
          stopReason: 'end_turn',
          model: 'claude-haiku-4-5-20251001',
          usage: { inputTokens: 100, outputTokens: 20, cost: expect.closeTo(0.0002, 10) },
        },
      ]);
      return BREAK;
    });
    const { record } = await bench.delivered(
      task,
      async ({ call }) => ({ result: (await call('POST', '/model', ask)).body.text }),
      { receives: 2 },
    );
    expect(record).toMatchObject({ status: 'succeeded', result: 'fine', usage: { modelCalls: 1, inputTokens: 100 } });
    expect(bench.cloud.stubs.model.requests).toHaveLength(1);
  });

  test('that limit or are away say so in a way that the agent can pass on', async () => {
    bench.cloud.model = () => ({
      ...Object(modelError(429, 'rate_limit_error', 'slow down')),
      headers: { 'retry-after': '7' },
    });
    const { record } = await bench.bridged(async ({ call }) => {
      const { status, body } = await call('POST', '/model', { prompt: 'p' });
      expect(status).toBe(429);
      expect(body.error).toMatchObject({ code: 'model_throttled', kind: 'throttled', retryAfterSeconds: 7 });
      return { error: body.error };
    });
    expect(record).toMatchObject({ status: 'queued', uncounted: 1 });
    bench.cloud.model = () => modelError(500, 'api_error', 'away');
    const away = await bench.bridged(async ({ call }) => {
      const { status, body } = await call('POST', '/model', { prompt: 'p' });
      expect([status, body.error.code, body.error.kind]).toEqual([503, 'model_unavailable', 'retryable']);
      return { error: body.error };
    });
    expect(away.record).toMatchObject({ status: 'queued' });
  });

  test('that the agent calls itself are priced by the release, kept over a crash, and counted in its limits', async () => {
    const task = await bench.cloud.putTask();
    const own = { model: 'claude-haiku-4-5-20251001', inputTokens: 1_000, outputTokens: 100 };
    await bench.delivered(task, async ({ call }) => {
      const { status, body } = await call('POST', '/usage', own);
      expect(status).toBe(200);
      expect(body.cost).toBeCloseTo(0.0015, 10);
      expect(body.usage).toMatchObject({ modelCalls: 1, inputTokens: 1_000, outputTokens: 100 });
      return BREAK;
    });
    // As if the worker had died with it: only the journal knows.
    await bench.cloud.documents.send(
      new UpdateCommand({
        TableName: TASKS,
        Key: TaskKey.task(task.id),
        UpdateExpression: 'REMOVE #usage, models',
        ExpressionAttributeNames: { '#usage': 'usage' },
      }),
    );
    const { record } = await bench.delivered(
      task,
      async ({ call }) => {
        // The attempt pays again, and the payments of the one before are not forgotten.
        const { body } = await call('POST', '/usage', own);
        return { result: body.usage.modelCalls };
      },
      { receives: 2 },
    );
    expect(record).toMatchObject({
      status: 'succeeded',
      result: 2,
      usage: { modelCalls: 2, inputTokens: 2_000, outputTokens: 200 },
      models: { 'claude-haiku-4-5-20251001': 2 },
    });
    expect(record.usage?.cost).toBeCloseTo(0.003, 10);
  });

  test('that the agent called itself count also when a limit is exceeded by them: the attempt ends', async () => {
    limited({ maxTokens: 1_000 });
    const { record } = await bench.bridged(async ({ call }) => {
      const { status, body } = await call('POST', '/usage', {
        model: 'claude-haiku-4-5-20251001',
        inputTokens: 2_000,
        outputTokens: 0,
      });
      expect([status, body.error.code]).toEqual([410, 'limit_exceeded']);
      return { result: 'went on' };
    });
    expect(record).toMatchObject({
      status: 'failed',
      error: { code: 'limit_exceeded' },
      usage: { modelCalls: 1, inputTokens: 2_000 },
    });
  });

  test('that are not in the release have no price, and end the attempt', async () => {
    const { record } = await bench.bridged(async ({ call }) => {
      const { status } = await call('POST', '/usage', { model: 'gpt-unknown', inputTokens: 1, outputTokens: 1 });
      expect(status).toBe(410);
      return { result: 'went on' };
    });
    expect(record).toMatchObject({ status: 'failed', error: { code: 'model_unknown' } });
    expect(record.error?.message).toContain('claude-haiku-4-5-20251001');
  });
});

describe('what else the worker offers', () => {
  test('prompts of the release', async () => {
    await bench.bridged(async ({ call }) => {
      expect(await call('POST', '/prompts/hello', { variables: { name: 'you' } })).toEqual({
        status: 200,
        body: { text: 'Hello you' },
      });
      const without = await call('POST', '/prompts/hello');
      expect([without.status, without.body.error.code]).toEqual([422, 'prompt_error']);
      return { result: null };
    });
  });

  test('the session, under the same conditions as for every agent', async () => {
    const { record } = await bench.bridged(
      async ({ call }) => {
        const early = await call('PUT', '/session', { state: 1 });
        expect([early.status, early.body.error.code]).toEqual([422, 'session_not_read']);
        expect((await call('GET', '/session')).body).toEqual({ id: 'chat' });
        expect(await call('PUT', '/session', { state: { greeted: true } })).toEqual({ status: 200, body: {} });
        return { result: null };
      },
      { task: { session: 'chat' } },
    );
    expect(record.status).toBe('succeeded');
    const conflict = await bench.bridged(
      async ({ call }) => {
        expect((await call('GET', '/session')).body.state).toEqual({ greeted: true });
        await bench.cloud.documents.send(
          new UpdateCommand({
            TableName: SESSIONS,
            Key: SessionKey.state(AGENT, 'chat'),
            UpdateExpression: 'SET version = version + :one',
            ExpressionAttributeValues: { ':one': 1 },
          }),
        );
        const { status, body } = await call('PUT', '/session', { state: 2 });
        expect([status, body.error.code, body.error.kind]).toEqual([409, 'session_conflict', 'retryable']);
        return { error: body.error };
      },
      { task: { session: 'chat' } },
    );
    expect(conflict.record.status).toBe('queued');
  });

  test('the score of the task', async () => {
    const { record } = await bench.bridged(async ({ call }) => {
      expect((await call('PUT', '/score', { value: 1.5 })).status).toBe(400);
      await call('PUT', '/score', { value: 0.25 });
      return { result: null };
    });
    expect(record.score).toBe(0.25);
  });

  test('secrets and flags that the service has, and none beyond', async () => {
    await bench.bridged(async ({ call }) => {
      expect((await call('GET', '/secrets/anthropic')).body).toEqual({ value: KEY });
      const secret = await call('GET', '/secrets/other');
      expect([secret.status, secret.body.error.code]).toEqual([422, 'secret_unknown']);
      const flag = await call('GET', '/flags/fast?type=boolean');
      expect([flag.status, flag.body.error.code]).toEqual([422, 'flag_unknown']);
      expect((await call('GET', '/flags/fast')).status).toBe(400);
      return { result: null };
    });
  });

  test('for a secret that was not accepted: the one that came meanwhile, and else the one before it', async () => {
    let current = 'sk-first-6f1d20';
    bench.cloud.secrets = ({ body }) => ({
      body: {
        ARN: KEY_ARN,
        SecretString: (body as { VersionStage?: string }).VersionStage === 'AWSPREVIOUS' ? 'sk-before-90aa31' : current,
      },
    });
    await bench.bridged(async ({ call }) => {
      const another = async (rejected: string) => (await call('POST', '/secrets/anthropic', { rejected })).body;
      expect((await call('GET', '/secrets/anthropic')).body).toEqual({ value: 'sk-first-6f1d20' });
      expect(await another('sk-first-6f1d20')).toEqual({ value: 'sk-before-90aa31' });
      current = 'sk-second-77c0e5';
      expect(await another('sk-first-6f1d20')).toEqual({ value: 'sk-second-77c0e5' });
      expect((await call('GET', '/secrets/anthropic')).body).toEqual({ value: 'sk-second-77c0e5' });
      return { result: null };
    });
  });

  test('refuses to replace a secret that the service has not, or without the value that was not accepted', async () => {
    await bench.bridged(async ({ call }) => {
      const unknown = await call('POST', '/secrets/other', { rejected: 'sk-first-6f1d20' });
      expect([unknown.status, unknown.body.error.code]).toEqual([422, 'secret_unknown']);
      for (const body of [{}, { rejected: '' }, { rejected: 'sk-first-6f1d20', more: 1 }]) {
        const refused = await call('POST', '/secrets/anthropic', body);
        expect([refused.status, refused.body.error.code]).toEqual([400, 'invalid_request']);
        expect(JSON.stringify(refused.body)).not.toContain('sk-first');
      }
      return { result: null };
    });
  });

  test('nothing else', async () => {
    await bench.bridged(async ({ call }) => {
      const none = await call('POST', '/nothing', {});
      expect([none.status, none.body.error.code]).toEqual([404, 'not_found']);
      const wrong = await call('PUT', '/steps', {});
      expect([wrong.status, wrong.body.error.message]).toEqual([405, '/steps takes POST, not PUT']);
      return { result: null };
    });
  });

  test('transcripts without what the agent takes out of them', async () => {
    process.env.AGENT_LANES_TRANSCRIPTS = 'on';
    bench.cloud.model = () => ({ body: modelMessage('mail bob@example.com') });
    await bench.bridged(
      async ({ call }) => {
        await call('POST', '/model', { prompt: 'who is alice@example.com?' });
        return { result: null };
      },
      { health: { redact: [{ pattern: '[\\w.]+@[\\w.]+', replacement: '[mail]' }] } },
    );
    const transcripts = [...bench.cloud.payloads].filter(([key]) => key.startsWith('transcripts/'));
    expect(transcripts).toHaveLength(1);
    expect(transcripts[0]?.[1]).toContain('who is [mail]?');
    expect(transcripts[0]?.[1]).not.toContain('@example.com');
  });
});

describe('a worker that must stop', () => {
  test('tells the agent, which gets to a checkpoint: the task is requeued at once', async () => {
    const { record } = await bench.bridged(
      async ({ call }) => {
        const { body } = await call('POST', '/steps', { name: 'first' });
        await call('POST', `/steps/${body.step}/finish`, { value: 1 });
        while (bench.checkpointed.length === 0) {
          await pause(20);
        }
        const { body: state } = await call('GET', '');
        expect(state.checkpoint).toEqual({ reason: 'worker_stopping', secondsLeft: expect.any(Number) });
        return { checkpointed: true };
      },
      { onStarted: (container) => setTimeout(() => void container.checkpoint(60_000), 300) },
    );
    expect(bench.checkpointed).toMatchObject([{ reason: 'worker_stopping', task: { attempt: 1 } }]);
    expect(bench.checkpointed[0]?.secondsLeft).toBeGreaterThan(50);
    expect(record).toMatchObject({ status: 'queued', attempts: 1, uncounted: 1 });
    expect(bench.output.log('requeued')).toMatchObject({ code: 'worker_stopping' });
  });

  test('requeues a task that an agent does not end, and the next one continues from its steps', async () => {
    const stop = new AbortController();
    const task = await bench.cloud.putTask();
    const first = await bench.delivered(
      task,
      async ({ call, closed }) => {
        const { body } = await call('POST', '/steps', { name: 'first' });
        await call('POST', `/steps/${body.step}/finish`, { value: 1 });
        stop.abort(new TaskRequeuedError('worker_stopping'));
        await closed;
      },
      { stop: stop.signal },
    );
    expect(first.record).toMatchObject({ status: 'queued', uncounted: 1 });
    expect(first.deleted).toBe(true);
    const second = await bench.delivered(
      task,
      async ({ call }) => ({ result: (await call('POST', '/steps', { name: 'first' })).body.state }),
      { receives: 2 },
    );
    expect(second.record).toMatchObject({ status: 'succeeded', result: 'finished' });
  });

  test('takes no checkpoint that the worker did not ask for', async () => {
    const { record } = await bench.bridged(() => ({ checkpointed: true }));
    expect(record).toMatchObject({ status: 'queued', attempts: 1 });
    expect(record.uncounted).toBeUndefined();
    expect(bench.output.log('the attempt failed')).toMatchObject({ code: 'agent_protocol' });
  });
});

describe('a probe', () => {
  const probe = { mode: 'probe', lane: 'candidate', priority: 'high', input: null } as const;

  test('runs the agent with the input that its health names', async () => {
    const inputs: unknown[] = [];
    const { record } = await bench.bridged(
      ({ request }) => {
        inputs.push([request.input, request.task.mode]);
        return { result: 'here' };
      },
      { task: probe, health: { protocol: 1, probe: { input: { question: 'there?' } } } },
    );
    expect(record.status).toBe('succeeded');
    expect(inputs).toEqual([[{ question: 'there?' }, 'probe']]);
  });

  test('asks the model alone of an agent that names none', async () => {
    const run = jest.fn();
    const { record } = await bench.bridged(run, { task: probe });
    expect(record.status).toBe('succeeded');
    expect(run).not.toHaveBeenCalled();
    expect(bench.cloud.stubs.model.requests).toHaveLength(1);
  });
});

test('a result may be null', async () => {
  const { record } = await bench.bridged(() => ({ result: null }));
  expect(record).toMatchObject({ status: 'succeeded', result: null });
});

test('an agent of another version of the protocol does not become healthy, and the preflight hears why', async () => {
  const { record, problem } = await bench.bridged(() => ({ result: null }), {
    task: { mode: 'probe', lane: 'candidate', input: null },
    health: { protocol: 2 },
    // It is waited for two minutes.
    clock: new FakeClock(),
  });
  expect(problem).toContain('the agent speaks version 2 of the protocol, this worker version 1');
  expect(record).toMatchObject({ status: 'failed', error: { code: 'probe_failed' } });
  expect(record.error?.message).toContain('version 2 of the protocol');
});
