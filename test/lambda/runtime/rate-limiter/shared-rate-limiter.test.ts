import fc from 'fast-check';
import { MAX_WITHOUT_STORE_MS } from '../../../../lambda/runtime/rate-limiter/rate-limit-rules';
import { SharedRateLimiter } from '../../../../lambda/runtime/rate-limiter/shared-rate-limiter';
import type { Mode, RateLimits } from '../../../../lib/contract';
import { FakeClock } from '../../shared/support/fakes';
import { MemoryLimits } from './support/memory-limits';

const MINUTE = 60_000;
const NEVER = new AbortController().signal;
const REQUEST = { requests: 1, tokens: 0 } as const;

function setUp(limits: RateLimits = { anthropic: { requestsPerMinute: 600 } }) {
  const clock = new FakeClock();
  const store = new MemoryLimits();
  const problems: string[] = [];
  const worker = () =>
    new SharedRateLimiter({ limits, store, clock, onStoreUnavailable: (message) => problems.push(message) });
  return { clock, store, problems, worker };
}

/** Makes calls until one is denied, up to a maximum. */
async function exhaust(limiter: SharedRateLimiter, mode: Mode, most = 10_000): Promise<number> {
  for (let calls = 0; calls < most; calls += 1) {
    try {
      await limiter.acquire('anthropic', REQUEST, mode, NEVER);
    } catch {
      return calls;
    }
  }
  return most;
}

test('no minute sees more than 106 % of the limit and one call, whatever workers do', async () => {
  const step = fc.record({
    worker: fc.nat({ max: 3 }),
    tokens: fc.integer({ min: 1, max: 400 }),
    pauseMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 5_000 })),
    mode: fc.constantFrom<Mode>('live', 'live', 'probe', 'shadow'),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 100, max: 20_000 }),
      fc.array(step, { minLength: 50, maxLength: 400 }),
      async (tokensPerMinute, steps) => {
        const { clock, worker } = setUp({ anthropic: { tokensPerMinute } });
        const workers = [worker(), worker(), worker(), worker()];
        const used: { readonly at: number; readonly tokens: number }[] = [];
        for (const { worker: index, tokens, pauseMs, mode } of steps) {
          clock.time += pauseMs;
          try {
            await workers[index]?.acquire('anthropic', { requests: 1, tokens }, mode, NEVER);
            used.push({ at: clock.time, tokens });
          } catch {
            // The task waits in its queue.
          }
        }
        for (const { at } of used) {
          const inMinute = used.filter((one) => one.at >= at && one.at < at + MINUTE);
          const sum = inMinute.reduce((total, { tokens }) => total + tokens, 0);
          expect(sum).toBeLessThanOrEqual(1.061 * tokensPerMinute + 400);
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('a worker that is never refused asks the store for a twentieth of its calls at most', async () => {
  const { clock, store, worker } = setUp({ anthropic: { requestsPerMinute: 12_000 } });
  const limiter = worker();
  const calls = 3_000;
  for (let call = 0; call < calls; call += 1) {
    clock.time += 10;
    await limiter.acquire('anthropic', REQUEST, 'live', NEVER);
  }
  expect(store.calls).toBeLessThan(calls / 20);
});

test('a live call waits for its turn if that comes soon', async () => {
  const { clock, worker } = setUp();
  await exhaust(worker(), 'live', 30);
  expect(clock.slept.length).toBeGreaterThan(0);
  expect(Math.max(...clock.slept)).toBeLessThanOrEqual(2_000);
});

test('fails a call whose turn does not come soon with rate_limited, and says when to come back', async () => {
  const { store, clock, worker } = setUp();
  store.until.set('anthropic requests', clock.time + 20_000);
  const denied = worker().acquire('anthropic', REQUEST, 'live', NEVER);
  await expect(denied).rejects.toMatchObject({ code: 'rate_limited', retryAfterMs: 17_000 });
  await expect(denied).rejects.toThrow('600 requests a minute');
});

test('a denied worker does not ask again before it may', async () => {
  const { store, clock, worker } = setUp();
  store.until.set('anthropic requests', clock.time + 20_000);
  const limiter = worker();
  expect(await exhaust(limiter, 'live')).toBe(0);
  expect(await exhaust(limiter, 'live')).toBe(0);
  expect(store.calls).toBe(1);
  clock.time += 17_000;
  await limiter.acquire('anthropic', REQUEST, 'live', NEVER);
});

test('shadow gets nothing while live uses the limit, and all of it while live is silent', async () => {
  const { clock, worker } = setUp();
  const [live, shadow] = [worker(), worker()];
  const share = { live: 0, shadow: 0 };
  await exhaust(live, 'live', 40);
  for (let second = 0; second < 120; second += 1) {
    // As many live calls as the limit allows, and a few more.
    share.live += await exhaust(live, 'live', 12);
    share.shadow += await exhaust(shadow, 'shadow', 12);
    clock.time += 100;
  }
  expect(share.shadow).toBe(0);
  clock.time += MINUTE;
  for (let call = 0; call < 100; call += 1) {
    clock.time += 120;
    share.shadow += await exhaust(shadow, 'shadow', 1);
  }
  expect(share.shadow).toBeGreaterThan(60);
});

describe('live comes before probe, and probe before shadow', () => {
  /** Whether a call is made at once, when the limit is reserved for a number of milliseconds ahead. */
  async function atOnce(mode: Mode, burstMs: number): Promise<boolean> {
    const { clock, store, worker } = setUp();
    const now = clock.time;
    store.until.set('anthropic requests', now + burstMs);
    await worker()
      .acquire('anthropic', REQUEST, mode, NEVER)
      .catch(() => undefined);
    return (store.until.get('anthropic requests') ?? 0) > now + burstMs && clock.time === now;
  }

  test.each<[number, Mode[]]>([
    [0, ['live', 'probe', 'shadow']],
    [200, ['live', 'probe', 'shadow']],
    [400, ['live', 'probe']],
    [800, ['live']],
  ])('spoken for %d ms ahead: %p', async (burstMs, served) => {
    const modes: readonly Mode[] = ['live', 'probe', 'shadow'];
    const found = await Promise.all(modes.map((mode) => atOnce(mode, burstMs)));
    expect(modes.filter((_, index) => found[index])).toEqual(served);
  });

  test('a live call also waits in the line that the others see taken', async () => {
    const { clock, store, worker } = setUp();
    store.until.set('anthropic requests', clock.time + 2_500);
    await worker().acquire('anthropic', REQUEST, 'live', NEVER);
    expect(clock.slept).toHaveLength(1);
    const refused = worker().acquire('anthropic', REQUEST, 'shadow', NEVER);
    await expect(refused).rejects.toMatchObject({ code: 'rate_limited' });
  });
});

test('what was estimated too high is used by the next call', async () => {
  const { store, worker } = setUp({ anthropic: { tokensPerMinute: 6_000_000 } });
  const limiter = worker();
  const lease = await limiter.acquire('anthropic', { requests: 1, tokens: 1_000 }, 'live', NEVER);
  lease.settle(100);
  await limiter.acquire('anthropic', { requests: 1, tokens: 900 }, 'live', NEVER);
  expect(store.calls).toBe(1);
});

test('what was estimated too low is paid by the next call', async () => {
  const { clock, store, worker } = setUp({ anthropic: { tokensPerMinute: 5_700 } });
  const limiter = worker();
  const lease = await limiter.acquire('anthropic', { requests: 1, tokens: 100 }, 'live', NEVER);
  lease.settle(600);
  clock.time += MINUTE;
  await limiter.acquire('anthropic', { requests: 1, tokens: 100 }, 'live', NEVER);
  const spokenFor = (store.until.get('anthropic tokens') ?? 0) - clock.time;
  expect(spokenFor).toBeCloseTo((600 * MINUTE) / (5_700 * 0.95), 2);
});

test('settling twice counts once', async () => {
  const { store, worker } = setUp({ anthropic: { tokensPerMinute: 6_000_000 } });
  const limiter = worker();
  const lease = await limiter.acquire('anthropic', { requests: 1, tokens: 1_000 }, 'live', NEVER);
  lease.settle(500);
  lease.settle(500);
  await limiter.acquire('anthropic', { requests: 1, tokens: 501 }, 'live', NEVER);
  expect(store.calls).toBe(2);
});

test('a lease that is not used ends', async () => {
  const { store, clock, worker } = setUp();
  const limiter = worker();
  for (let call = 0; call < 20; call += 1) {
    clock.time += 200;
    await limiter.acquire('anthropic', REQUEST, 'live', NEVER);
  }
  const calls = store.calls;
  clock.time += 4_001;
  await limiter.acquire('anthropic', REQUEST, 'live', NEVER);
  expect(store.calls).toBe(calls + 1);
});

test('requests are returned when there are no tokens', async () => {
  const { store, clock, worker } = setUp({ anthropic: { requestsPerMinute: 600, tokensPerMinute: 6_000 } });
  store.until.set('anthropic tokens', clock.time + 10_000);
  const limiter = worker();
  const call = () => limiter.acquire('anthropic', { requests: 1, tokens: 10 }, 'live', NEVER);
  await expect(call()).rejects.toMatchObject({ code: 'rate_limited' });
  const calls = store.calls;
  await expect(call()).rejects.toMatchObject({ code: 'rate_limited' });
  expect(store.calls).toBe(calls);
});

test('providers without a limit are not asked for', async () => {
  const { store, worker } = setUp();
  await worker().acquire('bedrock', REQUEST, 'live', NEVER);
  expect(store.calls).toBe(0);
});

test('fails with the reason of the signal', async () => {
  const { worker } = setUp();
  const reason = new Error('time is up');
  await expect(worker().acquire('anthropic', REQUEST, 'live', AbortSignal.abort(reason))).rejects.toBe(reason);
});

describe('without the store', () => {
  async function served() {
    const parts = setUp();
    const limiter = parts.worker();
    for (let call = 0; call < 100; call += 1) {
      parts.clock.time += 500;
      await limiter.acquire('anthropic', REQUEST, 'live', NEVER);
    }
    parts.store.failure = new Error('away');
    return { ...parts, limiter };
  }

  test('a worker continues at the pace at which it was served, for half a minute', async () => {
    const { clock, limiter, problems } = await served();
    const begun = clock.time;
    let calls = 0;
    while (clock.time < begun + MAX_WITHOUT_STORE_MS - 5_000) {
      calls += await exhaust(limiter, 'live', 1);
      clock.time += 100;
    }
    // Two a second before; ten were asked for.
    expect(calls).toBeGreaterThan(30);
    expect(calls).toBeLessThan(70);
    expect(problems[0]).toContain('could not be read');
    clock.time = begun + MAX_WITHOUT_STORE_MS + 5_000;
    await exhaust(limiter, 'live', 20);
    await expect(limiter.acquire('anthropic', REQUEST, 'live', NEVER)).rejects.toMatchObject({ code: 'rate_limited' });
  });

  test('fails the calls of a worker that was never served, so that their tasks wait', async () => {
    const { store, worker } = setUp();
    store.failure = new Error('away');
    await expect(worker().acquire('anthropic', REQUEST, 'live', NEVER)).rejects.toMatchObject({
      code: 'rate_limited',
      retryAfterMs: 5_000,
    });
  });

  test('asks it again after some seconds', async () => {
    const { store, clock, limiter } = await served();
    await exhaust(limiter, 'live', 20);
    store.failure = undefined;
    clock.time += 6_000;
    const calls = store.calls;
    await limiter.acquire('anthropic', REQUEST, 'live', NEVER);
    expect(store.calls).toBe(calls + 1);
  });
});
