import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ManualClock } from '../../support/manual-clock';
import { Stage, until } from './support';

/** Returns when the expected number of invocations of the same meeting is in progress. */
const MEETING = `
  const { mkdirSync, readdirSync, writeFileSync } = require('node:fs');
  exports.handler = async ({ folder, name, size }) => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(folder + '/' + name, '');
    while (readdirSync(folder).length < size) await new Promise((resolve) => setTimeout(resolve, 5));
    return process.pid;
  };`;

describe('invocations', () => {
  let clock: ManualClock;
  let stage: Stage;

  const open = async (options: Parameters<typeof Stage.open>[0] = {}) => {
    clock = new ManualClock();
    stage = await Stage.open({ clock, ...options });
    await stage.role();
  };
  beforeEach(() => open());
  afterEach(() => stage.close());

  let meetings = 0;
  /** Runs a number of invocations of {@link MEETING} that end only together. @returns the processes that ran them */
  const meet = async (size: number): Promise<number[]> => {
    meetings += 1;
    const folder = join(stage.folder, `meeting-${meetings}`);
    const names = Array.from({ length: size }, (_, index) => String(index));
    const results = await Promise.all(names.map((name) => stage.invoke('f', { folder, name, size })));
    return results.map((result) => Number(result.payload));
  };

  const sum = (name: string, dimensions: Record<string, string>) =>
    stage.metrics
      .filter((metric) => metric.namespace === 'AWS/Lambda' && metric.name === name)
      .filter((metric) => JSON.stringify(metric.dimensions) === JSON.stringify(dimensions))
      .flatMap((metric) => metric.values)
      .reduce((total, value) => total + value, 0);

  test('one environment serves one invocation after the other, and keeps its state', async () => {
    await stage.function('f', 'let calls = 0; exports.handler = async () => ++calls;');
    const seen = [];
    for (let index = 0; index < 3; index += 1) {
      seen.push((await stage.invoke('f')).payload);
    }
    expect(seen).toEqual(['1', '2', '3']);
    expect(stage.lambda.environments()).toMatchObject([{ state: 'idle', invocations: 3 }]);
  });

  test('invocations at the same time get an environment each', async () => {
    await stage.function('f', MEETING, { Timeout: 60 });
    expect(new Set(await meet(2)).size).toBe(2);
  });

  test('an environment stands still between invocations', async () => {
    await stage.function(
      'f',
      'let ticks = 0; setInterval(() => ticks++, 5); exports.handler = async () => { await new Promise((r) => setTimeout(r, 20)); return ticks; };',
    );
    const before = Number((await stage.invoke('f')).payload);
    await delay(500);
    const after = Number((await stage.invoke('f')).payload);
    // A hundred ticks would have passed; a timer that was due catches up once.
    expect(after - before).toBeLessThan(30);
  });

  test('at the limit of environments invocations wait for one', async () => {
    await stage.close();
    await open({ maxEnvironments: 2 });
    await stage.function(
      'f',
      'exports.handler = async () => { await new Promise((r) => setTimeout(r, 30)); return process.pid; };',
    );
    const results = await Promise.all(Array.from({ length: 10 }, () => stage.invoke('f')));
    expect(new Set(results.map((result) => result.payload)).size).toBeLessThanOrEqual(2);
    expect(stage.lambda.environments().length).toBeLessThanOrEqual(2);
  });

  test('at the limit an idle environment of another function makes room, and a busy one does in time', async () => {
    await stage.close();
    await open({ maxEnvironments: 1 });
    await stage.function(
      'a',
      'exports.handler = async () => { await new Promise((r) => setTimeout(r, 100)); return "a"; };',
    );
    await stage.function('b', 'exports.handler = async () => "b";');
    await stage.invoke('a');
    expect((await stage.invoke('b')).payload).toBe('"b"');
    // Many of a and one of b: b is not left to the end.
    const order: string[] = [];
    const note = (name: string) => stage.invoke(name).then(() => order.push(name));
    await Promise.all([...Array.from({ length: 12 }, () => note('a')), note('b')]);
    expect(order.indexOf('b')).toBeLessThan(6);
  });

  test('a burst uses the idle environments and starts none that it does not need', async () => {
    await stage.function('f', MEETING, { Timeout: 60 });
    const warm = await meet(3);
    expect(new Set(warm).size).toBe(3);
    await until(() => stage.lambda.environments().every((one) => one.state === 'idle'), 'all to be idle');
    expect((await meet(3)).sort()).toEqual(warm.sort());
    expect(stage.lambda.environments()).toHaveLength(3);
  });

  test('an invocation that waits takes the environment that becomes free, not the one that is started for it', async () => {
    await stage.function(
      'f',
      `
      const until = Date.now() + 1000;
      if (process.env.SLOW) while (Date.now() < until);
      exports.handler = async ({ ms }) => { await new Promise((r) => setTimeout(r, ms)); return process.pid; };`,
      {
        Environment: { Variables: { SLOW: 'yes' } },
        Timeout: 30,
      },
    );
    const warm = (await stage.invoke('f', { ms: 0 })).payload;
    const first = stage.invoke('f', { ms: 100 });
    const second = await stage.invoke('f', { ms: 0 });
    expect([(await first).payload, second.payload]).toEqual([warm, warm]);
  });

  test('idle environments are ended after a while', async () => {
    await stage.close();
    await open({ idleSeconds: 0.2 });
    await stage.function('f', 'exports.handler = async () => 1;');
    await stage.invoke('f');
    expect(stage.lambda.environments()).toHaveLength(1);
    await until(() => stage.lambda.environments().length === 0, 'the idle environment to end');
  });

  test('a handler that throws fails the invocation with type, message and trace; its environment lives on', async () => {
    await stage.function(
      'f',
      'let calls = 0; exports.handler = async () => { calls++; if (calls === 1) throw new TypeError("no good"); return calls; };',
    );
    const failed = await stage.invoke('f');
    expect(failed).toMatchObject({ status: 200, functionError: 'Unhandled' });
    expect(JSON.parse(failed.payload)).toMatchObject({ errorType: 'TypeError', errorMessage: 'no good' });
    expect(JSON.parse(failed.payload).trace[0]).toBe('TypeError: no good');
    expect((await stage.invoke('f')).payload).toBe('2');
    expect(stage.logLines.some((line) => line.includes('ERROR\tInvoke Error') && line.includes('no good'))).toBe(true);
  });

  test('fails an invocation that runs into the timeout, in real seconds, and starts afresh', async () => {
    await stage.function(
      'f',
      'let calls = 0; exports.handler = async ({ hang }) => { calls++; if (hang) await new Promise(() => setInterval(() => {}, 1000)); return calls; };',
      { Timeout: 1 },
    );
    expect((await stage.invoke('f')).payload).toBe('1');
    const started = performance.now();
    const failed = await stage.invoke('f', { hang: true });
    expect(performance.now() - started).toBeGreaterThan(950);
    expect(failed.functionError).toBe('Unhandled');
    expect(JSON.parse(failed.payload)).toMatchObject({
      errorType: 'Sandbox.Timedout',
      errorMessage: expect.stringMatching(/^RequestId: [0-9a-f-]{36} Error: Task timed out after 1\.00 seconds$/),
    });
    expect((await stage.invoke('f')).payload).toBe('1');
    expect(stage.logLines.some((line) => line.endsWith('Task timed out after 1.00 seconds'))).toBe(true);
  });

  test.each([
    ['exits', 'process.exit(7)', 'Runtime.ExitError', /Runtime exited with error: exit status 7/],
    ['throws outside of any catch', 'setTimeout(() => { throw new RangeError("late"); }, 1)', 'RangeError', /late/],
    [
      'leaves a rejection unhandled',
      'Promise.reject(new Error("forgotten"))',
      'Runtime.UnhandledPromiseRejection',
      /forgotten/,
    ],
  ])('fails an invocation whose process %s', async (_how, code, errorType, message) => {
    await stage.function(
      'f',
      `exports.handler = async () => { ${code}; await new Promise((r) => setTimeout(r, 5000)); };`,
      {
        Timeout: 10,
      },
    );
    const failed = await stage.invoke('f');
    expect(failed.functionError).toBe('Unhandled');
    expect(JSON.parse(failed.payload)).toMatchObject({ errorType, errorMessage: expect.stringMatching(message) });
    await until(() => stage.lambda.environments().length === 0, 'the environment to be gone');
  });

  test.each([
    ['does not exist', 'index.nothing', 'exports.handler = 1;', 'Runtime.HandlerNotFound'],
    ['is in no file', 'main.handler', '', 'Runtime.ImportModuleError'],
    ['needs a module that was not bundled', 'index.handler', 'require("zod");', 'Runtime.ImportModuleError'],
    ['throws while it is loaded', 'index.handler', 'throw new SyntaxError("at load");', 'SyntaxError'],
  ])('fails the invocation when the handler %s', async (_how, Handler, source, errorType) => {
    await stage.function('f', source, { Handler });
    const failed = await stage.invoke('f');
    expect(JSON.parse(failed.payload).errorType).toBe(errorType);
  });

  test('a killed environment fails the invocation that it ran, and only that', async () => {
    await stage.function(
      'f',
      'exports.handler = async ({ ms }) => { await new Promise((r) => setTimeout(r, ms)); return 1; };',
      {
        Timeout: 10,
      },
    );
    const running = stage.invoke('f', { ms: 5000 });
    await until(() => stage.lambda.environments().some((one) => one.state === 'busy'), 'the invocation to start');
    const [environment] = stage.lambda.environments();
    expect(stage.lambda.kill(environment?.id ?? '')).toBe(true);
    expect(JSON.parse((await running).payload).errorMessage).toMatch(/signal: killed/);
    expect((await stage.invoke('f', { ms: 0 })).payload).toBe('1');
    expect(stage.lambda.kill('missing')).toBe(false);
  });

  test('a killed idle environment is replaced without anybody noticing', async () => {
    await stage.function('f', 'exports.handler = async () => 1;');
    await stage.invoke('f');
    stage.lambda.kill(stage.lambda.environments()[0]?.id ?? '');
    await until(() => stage.lambda.environments().length === 0, 'the environment to be gone');
    expect((await stage.invoke('f')).payload).toBe('1');
  });

  test('stopping ends processes that stand still, and fails what is running', async () => {
    await stage.function('f', 'exports.handler = async ({ ms }) => { await new Promise((r) => setTimeout(r, ms)); };', {
      Timeout: 60,
    });
    await stage.invoke('f', { ms: 0 });
    const [idle] = stage.lambda.environments();
    const running = stage.invoke('f', { ms: 30_000 });
    await until(() => stage.lambda.environments().some((one) => one.state === 'busy'), 'the invocation to start');
    await stage.lambda.stop();
    expect((await running).functionError).toBe('Unhandled');
    const pid = idle?.processId ?? 0;
    await until(() => !isRunning(pid), 'the process to be gone');
  });

  test('writes what the function prints between START and END, in order, and takes metrics out of it', async () => {
    await stage.function(
      'f',
      `exports.handler = async () => { for (let i = 0; i < 200; i++) console.log('line ' + i); process.stdout.write('{"open":"end"}'); };`,
    );
    await stage.invoke('f');
    const lines = stage.logLines;
    expect(lines[0]).toMatch(/^START RequestId: [0-9a-f-]{36} Version: \$LATEST$/);
    expect(lines.slice(1, 201)).toEqual(Array.from({ length: 200 }, (_, index) => `line ${index}`));
    expect(lines[201]).toBe('{"open":"end"}');
    expect(lines[202]).toMatch(/^END RequestId: /);
    expect(lines[203]).toMatch(
      /^REPORT RequestId: \S+\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\tMax Memory Used: \d+ MB\tInit Duration: [\d.]+ ms$/,
    );
    expect(lines).toHaveLength(204);
    expect(stage.ingested).toEqual(lines.slice(1, 202));
  });

  test('writes platform lines as JSON when the function logs JSON', async () => {
    await stage.function('f', 'exports.handler = async () => 1;', { LoggingConfig: { LogFormat: 'JSON' } });
    await stage.invoke('f');
    const types = stage.logLines.map((line) => JSON.parse(line).type);
    expect(types).toEqual(['platform.start', 'platform.report']);
  });

  test('a role that may not write logs writes none, and its metrics are lost with them', async () => {
    const role = await stage.role('mute', ['sqs:*']);
    await stage.function('f', 'exports.handler = async () => console.log("hello");', { Role: role });
    await stage.invoke('f');
    expect(stage.logLines).toEqual([]);
    expect(stage.ingested).toEqual([]);
    expect(stage.iam.statistics().denied.some((denied) => denied.action.startsWith('logs:'))).toBe(true);
  });

  test('puts its metrics for the function, for what was invoked, and for the version that ran', async () => {
    await stage.function('f', 'exports.handler = async ({ bad }) => { if (bad) throw new Error("bad"); };');
    await stage.publish('f');
    stage.lambda.port.putAlias({ functionName: 'f', name: 'live', version: '1', weights: {} });
    await stage.invoke('f:live');
    await stage.invoke('f:live', { bad: true });
    await stage.invoke('f');
    expect(sum('Invocations', { FunctionName: 'f' })).toBe(3);
    expect(sum('Errors', { FunctionName: 'f' })).toBe(1);
    expect(sum('Invocations', { FunctionName: 'f', Resource: 'f:live' })).toBe(2);
    expect(sum('Errors', { FunctionName: 'f', Resource: 'f:live', ExecutedVersion: '1' })).toBe(1);
    expect(sum('Duration', { FunctionName: 'f' })).toBeGreaterThan(0);
    expect(sum('ConcurrentExecutions', { FunctionName: 'f' })).toBe(3);
  });

  test('throttles beyond the reserved concurrency', async () => {
    await stage.function(
      'f',
      'exports.handler = async () => { await new Promise((r) => setTimeout(r, 300)); return 1; };',
      {
        ReservedConcurrentExecutions: 1,
      },
    );
    const first = stage.invoke('f');
    await expect(stage.invoke('f')).rejects.toMatchObject({ name: 'TooManyRequestsException', status: 429 });
    expect((await first).payload).toBe('1');
    expect(sum('Throttles', { FunctionName: 'f' })).toBe(1);
    expect(sum('Invocations', { FunctionName: 'f' })).toBe(1);
  });

  test('refuses payloads that are no JSON or too large, and fails results that are too large', async () => {
    await stage.function('f', 'exports.handler = async ({ n }) => "x".repeat(n);');
    const invoke = (payload: string, type: 'RequestResponse' | 'Event' = 'RequestResponse') =>
      stage.lambda.port.invoke({ function: 'f', payload, type });
    await expect(invoke('{')).rejects.toMatchObject({ name: 'InvalidRequestContentException' });
    await expect(invoke(JSON.stringify('x'.repeat(6_291_456)))).rejects.toMatchObject({
      name: 'RequestTooLargeException',
    });
    await expect(invoke(JSON.stringify('x'.repeat(1_048_576)), 'Event')).rejects.toMatchObject({
      name: 'RequestTooLargeException',
    });
    expect(JSON.parse((await invoke('{"n":7000000}')).payload).errorType).toBe('Function.ResponseSizeTooLarge');
  });

  test('passes the trace of the caller on, and starts one where there is none', async () => {
    const source = 'exports.handler = async () => process.env._X_AMZN_TRACE_ID;';
    await stage.function('f', source, { TracingConfig: { Mode: 'Active' } });
    const full = 'Root=1-5e3d83c1-e6a0db584850d61342823d4c;Parent=53995c3f42cd8ad8;Sampled=0';
    const invoke = async (traceHeader: string) =>
      JSON.parse(
        (await stage.lambda.port.invoke({ function: 'f', payload: '{}', type: 'RequestResponse', traceHeader }))
          .payload,
      );
    expect(await invoke(full)).toBe(full);
    expect(await invoke('Root=1-5e3d83c1-e6a0db584850d61342823d4c')).toMatch(
      /^Root=1-5e3d83c1-e6a0db584850d61342823d4c;Parent=[0-9a-f]{16};Sampled=1$/,
    );
    expect(JSON.parse((await stage.invoke('f')).payload)).toMatch(/;Sampled=1$/);
  });

  describe('asynchronous', () => {
    const failing = 'exports.handler = async () => { console.log("attempt"); throw new Error("always"); };';
    const attempts = () => stage.logLines.filter((line) => line === 'attempt').length;
    const ends = () => stage.logLines.filter((line) => line.startsWith('REPORT')).length;
    const send = (target = 'f') => stage.lambda.port.invoke({ function: target, payload: '{"a":1}', type: 'Event' });

    test('are accepted at once and retried after one and after two minutes of cloud time, with one request id', async () => {
      await stage.function('f', failing);
      expect(await send()).toMatchObject({ status: 202, payload: '' });
      await until(() => ends() === 1, 'the first attempt');
      await clock.advance(59_999);
      expect(attempts()).toBe(1);
      await clock.advance(1);
      await until(() => ends() === 2, 'the second attempt');
      await clock.advance(119_999);
      expect(attempts()).toBe(2);
      await clock.advance(1);
      await until(() => ends() === 3, 'the third attempt');
      await clock.advance(3_600_000);
      await delay(50);
      expect(attempts()).toBe(3);
      const ids = stage.logLines.flatMap((line) => /^START RequestId: (\S+)/.exec(line)?.[1] ?? []);
      expect(new Set(ids).size).toBe(1);
      expect(sum('AsyncEventsDropped', { FunctionName: 'f' })).toBe(1);
    });

    test('are not retried where the configuration says so, and end in the dead-letter queue', async () => {
      const { arn } = await stage.queue('dead');
      await stage.function('f', failing, { DeadLetterConfig: { TargetArn: arn } });
      const config = { FunctionName: 'f', Qualifier: '$LATEST', MaximumRetryAttempts: 0 };
      const { physicalId } = await stage.create('AWS::Lambda::EventInvokeConfig', 'c', config);
      await expect(stage.create('AWS::Lambda::EventInvokeConfig', 'd', config)).rejects.toThrow(/already has/);
      await send();
      await until(() => stage.sqs.queues()[0]?.visible === 1, 'the dead letter');
      expect(attempts()).toBe(1);
      await stage.delete('AWS::Lambda::EventInvokeConfig', 'c', physicalId, config);
      await send();
      await until(() => ends() === 2, 'the next event');
      await clock.advance(60_000);
      await until(() => ends() === 3, 'its retry');
    });

    test('wait for their turn when they are throttled', async () => {
      await stage.function('f', 'exports.handler = async () => 1;', { ReservedConcurrentExecutions: 0 });
      await send();
      await clock.advance(10_000);
      expect(ends()).toBe(0);
      const properties = { ...stage.functionProperties('f', 'exports.handler = async () => 1;') };
      await stage.update('AWS::Lambda::Function', 'f', 'f', {}, properties);
      await clock.advance(10_000);
      await until(() => ends() === 1, 'the event');
    });
  });
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
