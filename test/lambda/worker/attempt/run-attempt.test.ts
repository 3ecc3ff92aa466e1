import { z } from 'zod';
import {
  type AgentContext,
  CancelledError,
  defineAgent,
  RetryableError,
  ThrottledError,
} from '../../../../lambda/runtime';
import { LeaseLostError, TaskRequeuedError } from '../../../../lambda/runtime/errors';
import { systemClock } from '../../../../lambda/shared/clock';
import { Env } from '../../../../lib/contract';
import { type AttemptSetup, Attempts, newTaskId } from '../support/attempts';
import { modelError } from '../support/task-cloud';

let attempts: Attempts;
const environment = { ...process.env };

beforeAll(async () => {
  attempts = await Attempts.start();
});

afterAll(async () => {
  await attempts.close();
  process.env = environment;
});

beforeEach(() => attempts.reset());

const run = (body: (ctx: AgentContext) => unknown, setup?: AttemptSetup) =>
  attempts.run(defineAgent({ input: z.null(), run: (_, ctx) => body(ctx) }), null, setup);

/** Does not listen to the signal. */
const hang = () => new Promise<never>(() => {});

describe('the time of a task', () => {
  test('fails as timed out when it has run as long as its release allows', async () => {
    expect(await run(hang, { limits: { maxDurationMs: 30 } })).toMatchObject({
      kind: 'timed_out',
      error: { code: 'timed_out', message: 'the task ran longer than its release allows (maxDurationMs = 30)' },
    });
  });

  test('fails as timed out when all its attempts together have', async () => {
    const outcome = await run(hang, { attempt: 2, ranMs: 970, limits: { maxDurationMs: 1_000 } });
    expect(outcome).toMatchObject({
      kind: 'timed_out',
      error: { message: expect.stringContaining('(maxDurationMs = 1000, over all its attempts)') },
    });
  });

  test.each([
    ['its earlier attempts used up all its time', { ranMs: 1_000, limits: { maxDurationMs: 1_000 } }],
    ['its deadline is over', { deadlineAt: Date.now() - 1 }],
  ])('fails without running when %s', async (_, setup) => {
    const body = jest.fn();
    expect(await run(body, { attempt: 2, ...setup })).toMatchObject({ kind: 'timed_out' });
    expect(body).not.toHaveBeenCalled();
  });

  test('fails as timed out at its deadline, which goes by the time of the cloud', async () => {
    const cloudEpochMs = Date.UTC(2033, 0, 1);
    const clock = systemClock({ [Env.CLOCK]: JSON.stringify({ realEpochMs: Date.now(), cloudEpochMs, speed: 1_000 }) });
    const started = Date.now();
    const outcome = await run(hang, { clock, deadlineAt: cloudEpochMs + 60_000 });
    expect(outcome).toMatchObject({
      kind: 'timed_out',
      error: { message: 'the task did not end by its deadline, 2033-01-01T00:01:00.000Z' },
    });
    expect(Date.now() - started).toBeLessThan(3_000);
  });

  test('is not cut short by a deadline that is far away', async () => {
    expect(await run(() => 'ok', { deadlineAt: Date.now() + 7 * 86_400_000 })).toMatchObject({ kind: 'succeeded' });
  });
});

describe("the end of a worker's time", () => {
  test('hands the task over when the attempt finished a step', async () => {
    const taskId = newTaskId();
    const body = (last: boolean) => async (ctx: AgentContext) => {
      await ctx.step('first', () => 1);
      return last ? 'done' : hang();
    };
    expect(await run(body(false), { taskId, remainingMs: 400 })).toMatchObject({
      kind: 'requeued',
      requeue: 'worker_ends',
      steps: { executed: 1, replayed: 0 },
    });
    expect(await run(body(true), { taskId, attempt: 2, ranMs: 360 })).toMatchObject({
      kind: 'succeeded',
      steps: { executed: 0, replayed: 1 },
    });
  });

  test('fails the task as timed out when it finished none: the next worker would end the same way', async () => {
    const outcome = await run(hang, { remainingMs: 100 });
    expect(outcome).toMatchObject({
      kind: 'timed_out',
      error: { message: expect.stringMatching(/finished no step before the timeout of its worker, after 90 ms/) },
    });
  });

  test('fails the task as timed out when it only replayed what an earlier attempt had finished', async () => {
    const taskId = newTaskId();
    const body = async (ctx: AgentContext) => {
      await ctx.step('first', () => 1);
      return hang();
    };
    await run(body, { taskId, remainingMs: 400 });
    expect(await run(body, { taskId, attempt: 2, remainingMs: 400 })).toMatchObject({
      kind: 'timed_out',
      steps: { executed: 0, replayed: 1 },
    });
  });

  test('retries the task when the journal used up the time', async () => {
    const away = jest.spyOn(attempts.payloads, 'put').mockImplementation(hang);
    const outcome = await run((ctx) => ctx.step('large', () => 'x'.repeat(20_000)), { remainingMs: 100 });
    away.mockRestore();
    expect(outcome).toMatchObject({
      kind: 'retry',
      error: { code: 'journal_unavailable', message: expect.stringContaining('did not accept the finished step') },
    });
  });

  test('does not lose a step whose value is being written', async () => {
    const taskId = newTaskId();
    const controller = new AbortController();
    let put: () => void = () => {};
    const slowPut = new Promise<void>((resolve) => {
      put = resolve;
    });
    const original = attempts.payloads.put.bind(attempts.payloads);
    const spy = jest.spyOn(attempts.payloads, 'put').mockImplementation(async (key, text) => {
      controller.abort(new TaskRequeuedError('worker_ends'));
      setTimeout(put, 50);
      await slowPut;
      return original(key, text);
    });
    const outcome = await run((ctx) => ctx.step('large', () => 'x'.repeat(20_000)), { taskId, controller });
    spy.mockRestore();
    expect(outcome).toMatchObject({ kind: 'requeued', steps: { executed: 1 } });
    expect((await attempts.entries(taskId)).get('step:large')).toMatchObject({ state: 'finished' });
  });
});

describe('an attempt that its worker stops', () => {
  test.each([
    ['cancelled', new CancelledError(), { kind: 'cancelled', error: { code: 'cancelled' } }],
    ['revoked', new TaskRequeuedError('revoked'), { kind: 'requeued', requeue: 'revoked' }],
    ['without its lease', new LeaseLostError('the lease is another worker’s'), { kind: 'lost' }],
  ])('is %s at once, though the agent does not listen', async (_, reason, expected) => {
    const controller = new AbortController();
    const outcome = run(hang, { controller });
    setTimeout(() => controller.abort(reason), 20);
    expect(await outcome).toMatchObject(expected);
  });

  test('is not run at all when it was stopped before it began', async () => {
    const controller = new AbortController();
    controller.abort(new CancelledError());
    const body = jest.fn();
    expect(await run(body, { controller })).toMatchObject({ kind: 'cancelled' });
    expect(body).not.toHaveBeenCalled();
  });

  test('refuses whatever its agent still asks for, and takes its time over it', async () => {
    const controller = new AbortController();
    let refused = 0;
    let ended = false;
    const outcome = run(
      async (ctx) => {
        while (!ended) {
          const asked = [
            ctx.step(`s${refused}`, () => 1),
            ctx.tool('search', { q: 'x' }, () => 1),
            ctx.model.generate({ prompt: 'p' }),
            ctx.session.get(),
            ctx.secret('anthropic'),
          ];
          controller.abort(new CancelledError());
          refused += (await Promise.allSettled(asked)).filter(({ status }) => status === 'rejected').length;
        }
      },
      { controller },
    );
    expect(await outcome).toMatchObject({ kind: 'cancelled' });
    await new Promise((resolve) => setTimeout(resolve, 100));
    ended = true;
    expect(refused).toBeGreaterThan(4);
    expect(refused).toBeLessThan(200);
    expect(attempts.provider.requests.length).toBeLessThan(2);
  });
});

describe('an error of the agent', () => {
  test.each([
    [
      'a retryable one with a time',
      new RetryableError('later', { retryAfterMs: 7_000 }),
      { kind: 'retry', retryAfterMs: 7_000 },
    ],
    ['a retryable one', new RetryableError('later'), { kind: 'retry', error: { code: 'retryable' } }],
    ['a limit', new ThrottledError('limit', { code: 'crm_limit', retryAfterMs: 5 }), { kind: 'wait', retryAfterMs: 5 }],
    ['a cancellation', new CancelledError(), { kind: 'cancelled' }],
    ['a bug', new Error('a bug'), { kind: 'failed', error: { code: 'agent_error', message: 'a bug' } }],
  ])('says what becomes of the task: %s', async (_, error, expected) => {
    const outcome = await run(() => {
      throw error;
    });
    expect(outcome).toMatchObject(expected);
    expect('retryAfterMs' in outcome).toBe('retryAfterMs' in expected);
  });
});

describe('the model provider', () => {
  const ask = (ctx: AgentContext) => ctx.model.generate({ prompt: 'p' }).then(({ text }) => text);

  test.each([
    [429, 'rate_limit_error'],
    [529, 'overloaded_error'],
  ])('that answers %i makes the task wait', async (status, type) => {
    attempts.model = () => modelError(status, type, 'slow down');
    expect(await run(ask)).toMatchObject({
      kind: 'wait',
      error: { code: 'model_throttled', message: expect.stringContaining(`${status} ${type}: slow down`) },
    });
    expect(attempts.provider.requests).toHaveLength(1);
    expect(attempts.log('model did not answer').fields).toMatchObject({ outcome: 'throttled', status });
  });

  test('with a delay makes it wait for this delay', async () => {
    attempts.model = () => ({
      status: 429,
      headers: { 'retry-after': '17' },
      body: { type: 'error', error: { type: 'rate_limit_error', message: 'slow down' } },
    });
    expect(await run(ask)).toMatchObject({ kind: 'wait', retryAfterMs: 17_000 });
  });

  test.each([500, 502, 503])('that answers %i has the task tried again', async (status) => {
    attempts.model = () => modelError(status, 'api_error', 'away');
    expect(await run(ask)).toMatchObject({ kind: 'retry', error: { code: 'model_unavailable' } });
  });

  test('fails the task when it does not accept the request', async () => {
    attempts.model = () => modelError(400, 'invalid_request_error', 'too long');
    expect(await run(ask)).toMatchObject({ kind: 'failed', error: { code: 'model_refused' } });
  });
});
