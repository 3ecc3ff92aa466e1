import type { AgentLogger } from '../../../../lambda/runtime';
import { ThrottledError } from '../../../../lambda/runtime';
import { dispositionOf } from '../../../../lambda/runtime/errors';
import { type ModelCall, ModelChain } from '../../../../lambda/runtime/model/model-chain';
import { type ModelProvider, type ProviderAnswer, ProviderError } from '../../../../lambda/runtime/model/provider';
import { type RateLimiter, UNLIMITED } from '../../../../lambda/runtime/rate-limiter/rate-limiter';
import { SecretReader } from '../../../../lambda/runtime/secrets';
import { DEFAULT_MODEL_POLICY, type ModelPolicySettings, type ModelSettings } from '../../../../lib/contract';

const settings = (id: string): ModelSettings => ({
  provider: 'bedrock',
  id,
  maxTokens: 100,
  timeoutMs: 200,
  price: { inputPerMillion: 1, outputPerMillion: 1 },
});

const away = () => new ProviderError('unavailable', 503, 'away');
const limited = (retryAfterMs?: number) =>
  new ProviderError('throttled', 429, 'slow down', retryAfterMs === undefined ? {} : { retryAfterMs });
const fine: ProviderAnswer = { text: 'fine', stopReason: 'end_turn', inputTokens: 3, outputTokens: 2 };

type Script = Record<string, (ProviderAnswer | Error)[]>;

interface Parts {
  readonly limiter?: RateLimiter;
  readonly random?: () => number;
}

function setUp(script: Script, policy: Partial<ModelPolicySettings> = {}, { limiter = UNLIMITED, random }: Parts = {}) {
  const clock = { time: 0, now: () => clock.time, sleep: () => Promise.resolve() };
  const asked: string[] = [];
  const provider: ModelProvider = {
    generate: async ({ model: { id } }) => {
      asked.push(id);
      const next = script[id]?.shift() ?? fine;
      if (next instanceof Error) {
        throw next;
      }
      return next;
    },
  };
  const [model = settings('none'), ...fallbacks] = Object.keys(script).map(settings);
  const chain = new ModelChain({
    behavior: { model, fallbacks, modelPolicy: { ...DEFAULT_MODEL_POLICY, backoffFirstMs: 1, ...policy } },
    secrets: new SecretReader({}, clock),
    clock,
    limiter,
    random,
    providers: { bedrock: provider },
  });
  const calls: ModelCall[] = [];
  let opened = 0;
  const silent: AgentLogger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  const ask = (signal = new AbortController().signal) =>
    chain.generate({
      request: { prompt: 'p' },
      mode: 'live',
      signal,
      logger: silent,
      onCall: async (call) => {
        calls.push(call);
      },
      onBreakerOpened: () => {
        opened += 1;
      },
    });
  return { ask, asked, calls, clock, opened: () => opened };
}

test('asks the primary alone while it answers', async () => {
  const { ask, asked } = setUp({ a: [], b: [] });
  expect(await ask()).toMatchObject({ text: 'fine', model: { id: 'a' }, fallback: false });
  expect(asked).toEqual(['a']);
});

test.each([
  ['is away', away()],
  ['limits its callers', limited()],
])('tries a model that %s as often as the policy says, then the next one', async (_, error) => {
  const { ask, asked, calls } = setUp({ a: [error, error, error], b: [] }, { attempts: 3 });
  expect(await ask()).toMatchObject({ model: { id: 'b' }, fallback: true });
  expect(asked).toEqual(['a', 'a', 'a', 'b']);
  expect(calls.map(({ model, result }) => [model.id, result instanceof ProviderError])).toEqual([
    ['a', true],
    ['a', true],
    ['a', true],
    ['b', false],
  ]);
});

test('waits as long as a model asks, if that is short, and turns to the next one if it is long', async () => {
  const short = setUp({ a: [limited(20)], b: [] });
  const start = performance.now();
  expect(await short.ask()).toMatchObject({ model: { id: 'a' } });
  expect(performance.now() - start).toBeGreaterThanOrEqual(19);
  const long = setUp({ a: [limited(5_000)], b: [] }, { backoffLongestMs: 4_000 });
  expect(await long.ask()).toMatchObject({ model: { id: 'b' } });
  expect(long.asked).toEqual(['a', 'b']);
});

test('waits between calls for a time drawn from nothing up to a bound, which doubles up to the longest', async () => {
  const policy = { attempts: 4, backoffFirstMs: 100, backoffLongestMs: 200 };
  const pauses = async (random: number) => {
    const { ask } = setUp({ a: [away(), away(), away()], b: [] }, policy, { random: () => random });
    const start = performance.now();
    expect(await ask()).toMatchObject({ model: { id: 'a' } });
    return performance.now() - start;
  };
  const [none, most] = [await pauses(0), await pauses(0.999)];
  // 100, 200, 200
  expect(most).toBeGreaterThanOrEqual(490);
  expect(none).toBeLessThan(most - 300);
});

test.each([
  ['refused', 400],
  ['unauthorized', 401],
] as const)('fails at once when a model answers %s: no other is asked', async (kind, status) => {
  const { ask, asked } = setUp({ a: [new ProviderError(kind, status, 'no')], b: [] });
  await expect(ask()).rejects.toMatchObject({ code: `model_${kind}` });
  expect(asked).toEqual(['a']);
});

test('takes the refusal of a model as its answer', async () => {
  const { ask } = setUp({ a: [{ ...fine, stopReason: 'refusal' }], b: [] });
  expect(await ask()).toMatchObject({ stopReason: 'refusal', model: { id: 'a' } });
});

test('makes the task wait when no model answered and one of them for its limit, as long as the soonest asks', async () => {
  const { ask } = setUp({ a: [limited(9_000)], b: [away()], c: [limited(7_000)] }, { attempts: 1 });
  const error: unknown = await ask().catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ThrottledError);
  expect(error).toMatchObject({
    code: 'model_throttled',
    retryAfterMs: 7_000,
    message: 'no model of the chain answered: a: slow down; b: away; c: slow down',
  });
});

test('has the task tried again when all are away', async () => {
  const { ask } = setUp({ a: [away()], b: [away()] }, { attempts: 1 });
  const error: unknown = await ask().catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'model_unavailable' });
  expect(dispositionOf(error)).toBe('retry');
});

test('leaves a model out once it has failed too often, and comes back to it', async () => {
  const { ask, asked, clock, opened } = setUp(
    { a: [away(), away(), away()], b: [] },
    { attempts: 1, breakerFailures: 2, breakerOpenMs: 1_000 },
  );
  await ask();
  await ask();
  expect(opened()).toBe(1);
  await ask();
  await ask();
  expect(asked).toEqual(['a', 'b', 'a', 'b', 'b', 'b']);
  clock.time = 1_000;
  // Half open: one call tries it, fails, and the breaker opens again.
  await ask();
  expect(opened()).toBe(2);
  clock.time = 2_000;
  expect(await ask()).toMatchObject({ model: { id: 'a' }, fallback: false });
  expect(await ask()).toMatchObject({ model: { id: 'a' } });
});

test('does not count an attempt in which no model could be asked', async () => {
  const { ask, asked } = setUp({ a: [away()] }, { attempts: 1, breakerFailures: 1, breakerOpenMs: 1_000 });
  await ask().catch(() => {});
  const error: unknown = await ask().catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'model_unavailable', retryAfterMs: 1_000 });
  expect(dispositionOf(error)).toBe('wait');
  expect(asked).toEqual(['a']);
});

test('fails with the refusal of the shared limit, and asks no other model', async () => {
  const refusal = new ThrottledError('used up', { code: 'rate_limited' });
  const { ask, asked } = setUp({ a: [], b: [] }, {}, { limiter: { acquire: () => Promise.reject(refusal) } });
  await expect(ask()).rejects.toBe(refusal);
  expect(asked).toEqual([]);
});

test('settles what it was given leave for, with what was used', async () => {
  const settled: number[] = [];
  const limiter: RateLimiter = { acquire: async () => ({ settle: (tokens) => settled.push(tokens) }) };
  const { ask } = setUp({ a: [away()], b: [] }, { attempts: 1 }, { limiter });
  await ask();
  expect(settled).toEqual([0, 5]);
});

test('ends with the reason of the signal, in the middle of a pause', async () => {
  const controller = new AbortController();
  const { ask, asked } = setUp({ a: [limited(3_000)] }, { attempts: 5 });
  const asking = ask(controller.signal);
  setTimeout(() => controller.abort(new Error('enough')), 20);
  await expect(asking).rejects.toThrow('enough');
  expect(asked).toEqual(['a']);
});
