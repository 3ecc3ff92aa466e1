import type { HealthCheckResult } from '../../../../lambda/functions/container/agent-client';
import { AgentClient } from '../../../../lambda/functions/container/agent-client';
import { AgentHealthMonitor } from '../../../../lambda/functions/container/agent-health-monitor';
import { ManualClock } from '../../../support/manual-clock';
import { type StubAnswer, startStub } from '../../worker/support/http-stub';
import { freePort } from './support/container-process';

const report = (given: HealthCheckResult): HealthCheckResult => given;
const WELL = report({ healthy: true, description: { protocol: 1 } });
const ILL = report({ healthy: false, message: 'out of order', slow: false });
const SLOW = report({ healthy: false, message: 'no answer within 5000 ms', slow: true });

function watchOf(report: () => HealthCheckResult, running = () => 0) {
  const clock = new ManualClock();
  let looks = 0;
  const quiet = () => {};
  const watch = new AgentHealthMonitor({
    client: {
      health: async () => {
        looks += 1;
        return report();
      },
    },
    clock,
    logger: { info: quiet, warn: quiet, error: quiet },
    running,
    environment: {},
  });
  return { clock, watch, looks: () => looks };
}

describe('an agent that starts', () => {
  test('is waited for until it is well, and says what it is', async () => {
    let now: HealthCheckResult = ILL;
    const { clock, watch } = watchOf(() => now);
    const started = watch.waitUntilHealthy(new AbortController().signal);
    await clock.advance(100_000);
    expect(watch.state).toEqual({ healthy: false, message: 'out of order' });
    now = WELL;
    await clock.advance(2_000);
    expect(await started).toEqual({ protocol: 1 });
    expect(watch.state).toEqual({ healthy: true });
  });

  test('has two minutes', async () => {
    const { clock, watch } = watchOf(() => ILL);
    const started = watch.waitUntilHealthy(new AbortController().signal);
    await clock.advance(122_000);
    expect(await started).toBeUndefined();
  });

  test('is not waited for when the container is told to stop', async () => {
    const stop = new AbortController();
    const { clock, watch } = watchOf(() => ILL);
    const started = watch.waitUntilHealthy(stop.signal).catch(() => 'stopped');
    await clock.advance(5_000);
    stop.abort();
    expect(await started).toBe('stopped');
  });
});

describe('an agent at work', () => {
  async function watched(report: () => HealthCheckResult, running = () => 0) {
    const made = watchOf(report, running);
    const changes: boolean[] = [];
    const stop = new AbortController();
    const started = made.watch.waitUntilHealthy(stop.signal);
    await made.clock.advance(1);
    await started;
    const ended: { value?: boolean } = {};
    const watching = made.watch
      .watch(stop.signal, ({ healthy }) => changes.push(healthy))
      .then((value) => {
        ended.value = value;
      });
    return { ...made, changes, ended, stop: () => stop.abort(), watching };
  }

  test('is checked every ten seconds, and abandoned when it is unhealthy for a minute', async () => {
    let now: HealthCheckResult = WELL;
    const { clock, looks, changes, ended, watching } = await watched(() => now);
    const before = looks();
    await clock.advance(60_000);
    expect(looks() - before).toBe(6);
    now = ILL;
    await clock.advance(65_000);
    expect(changes).toEqual([false]);
    expect(ended.value).toBeUndefined();
    await clock.advance(10_000);
    await watching;
    expect(ended.value).toBe(true);
  });

  test('that recovers in time is not abandoned', async () => {
    let now: HealthCheckResult = WELL;
    const { clock, changes, ended, stop, watching } = await watched(() => now);
    for (let times = 0; times < 4; times += 1) {
      now = ILL;
      await clock.advance(50_000);
      now = WELL;
      await clock.advance(15_000);
    }
    expect(changes).toEqual([false, true, false, true, false, true, false, true]);
    stop();
    await watching;
    expect(ended.value).toBe(false);
  });

  test('that broke off a call gets no more until it was looked at, which is at once', async () => {
    let now: HealthCheckResult = WELL;
    const { clock, watch, looks, changes, ended, stop, watching } = await watched(() => now);
    const before = looks();
    watch.reportUnreachable('socket hang up');
    // Before anything else can happen.
    expect(changes).toEqual([false]);
    expect(watch.state).toEqual({ healthy: false, message: 'socket hang up' });
    await clock.advance(1);
    expect(looks() - before).toBe(1);
    expect(changes).toEqual([false, true]);
    // The next look is as far off as ever.
    await clock.advance(9_000);
    expect(looks() - before).toBe(1);
    now = ILL;
    watch.reportUnreachable('socket hang up');
    await clock.advance(30_000);
    expect(changes).toEqual([false, true, false]);
    expect(watch.state).toEqual({ healthy: false, message: 'out of order' });
    now = WELL;
    await clock.advance(2_000);
    expect(changes).toEqual([false, true, false, true]);
    stop();
    await watching;
    expect(ended.value).toBe(false);
  });

  test('that is slow to answer while it works is busy: it gets no more, and is not abandoned', async () => {
    let running = 1;
    let now: HealthCheckResult = WELL;
    const { clock, changes, ended, watching } = await watched(
      () => now,
      () => running,
    );
    now = SLOW;
    await clock.advance(30 * 60_000);
    expect(changes).toEqual([false]);
    expect(ended.value).toBeUndefined();
    // Slow and with nothing to do it hangs.
    running = 0;
    await clock.advance(75_000);
    await watching;
    expect(ended.value).toBe(true);
  });

  test('that refuses connections is gone, whatever it worked on', async () => {
    let now: HealthCheckResult = WELL;
    const { clock, ended, watching } = await watched(
      () => now,
      () => 3,
    );
    now = ILL;
    await clock.advance(90_000);
    await watching;
    expect(ended.value).toBe(true);
  });
});

describe('GET /health of an agent', () => {
  const asked = async (answer: StubAnswer) => {
    const stub = await startStub(() => answer);
    try {
      return await new AgentClient(Number(new URL(stub.endpoint).port)).health();
    } finally {
      await stub.close();
    }
  };

  test.each<[string, StubAnswer]>([
    ['an empty object', { body: {} }],
    ['text', { body: 'ok' }],
    ['nothing', { status: 204, body: '' }],
    ['members of its own', { body: { status: 'up', checks: [] } }],
    ['the version', { body: { protocol: 1 } }],
  ])('may answer %s', async (_, answer) => {
    expect(await asked(answer)).toMatchObject({ healthy: true });
  });

  test('says how it is tried, and what is taken out of transcripts', async () => {
    const body = { protocol: 1, probe: { input: [1] }, redact: [{ pattern: '\\d+' }] };
    expect(await asked({ body })).toEqual({ healthy: true, description: body });
  });

  test.each<[string, StubAnswer, string]>([
    ['an error', { status: 503, body: { reason: 'CRM_URL is missing' } }, 'CRM_URL is missing'],
    ['another version', { body: { protocol: 2 } }, 'version 2'],
    ['a pattern that is none', { body: { redact: [{ pattern: '(' }] } }, 'regular expression'],
    ['a probe without an input', { body: { probe: {} } }, 'probe'],
  ])('is unhealthy with %s, and why is told', async (_, answer, why) => {
    expect(await asked(answer)).toEqual({ healthy: false, slow: false, message: expect.stringContaining(why) });
  });

  test('is unhealthy when no agent is there', async () => {
    expect(await new AgentClient(await freePort()).health()).toMatchObject({
      healthy: false,
      slow: false,
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  test('is slow when it does not answer', async () => {
    expect(await asked('hang')).toMatchObject({ healthy: false, slow: true });
  }, 20_000);
});
