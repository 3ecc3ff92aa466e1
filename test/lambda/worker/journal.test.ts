import { DeleteCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import { type AgentContext, defineAgent, FatalError, RetryableError } from '../../../lambda/runtime';
import { JournalStore } from '../../../lambda/runtime/journal/journal-store';
import { MAX_INLINE_STEP_BYTES, MAX_PAYLOAD_BYTES, TaskKey } from '../../../lib/contract';
import { FakeClock } from '../shared/support/fakes';
import { type AttemptSetup, Attempts, newTaskId } from './support/attempts';
import { modelError, modelMessage, RELEASE, TASKS } from './support/task-cloud';

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

const agentThat = (run: (ctx: AgentContext) => unknown) => defineAgent({ input: z.null(), run: (_, ctx) => run(ctx) });

const run = (body: (ctx: AgentContext) => unknown, setup?: AttemptSetup) => attempts.run(agentThat(body), null, setup);

/** Dies as a worker does: what comes after is not done, and nothing more is written. */
class Death extends RetryableError {}

const die = (): never => {
  throw new Death('the worker died');
};

describe('a first attempt', () => {
  test('gives the agent what its steps give, and writes each once, finished, with nothing before it', async () => {
    const taskId = newTaskId();
    const outcome = await run(
      async (ctx) => [await ctx.step('a', () => ({ n: 1 })), await ctx.step('b', async () => [2])],
      { taskId },
    );
    expect(outcome).toMatchObject({
      kind: 'succeeded',
      result: [{ n: 1 }, [2]],
      steps: { executed: 2, replayed: 0 },
    });
    const entries = await attempts.entries(taskId);
    expect([...entries.keys()]).toEqual(['step:a', 'step:b']);
    expect(entries.get('step:a')).toMatchObject({
      kind: 'step',
      name: 'a',
      state: 'finished',
      attempt: 1,
      token: 'token-1',
      release: RELEASE,
      order: 0,
      json: '{"n":1}',
    });
    expect(entries.get('step:b')).toMatchObject({ order: 1 });
    expect(attempts.log('step begun').fields).toMatchObject({ component: 'journal', step: 'step:a', attempt: 1 });
    expect(attempts.log('step finished').fields).toMatchObject({ outcome: 'finished', step: 'step:a' });
  });

  test.each([
    ['undefined', undefined, undefined],
    ['null', null, null],
    ['a date, as JSON has it', new Date(0), '1970-01-01T00:00:00.000Z'],
    ['an object without its undefined members', { a: undefined, b: 1 }, { b: 1 }],
    ['members in the order that they had', { z: 1, a: 2, 1: 3 }, { 1: 3, z: 1, a: 2 }],
    [
      'a member without a name, and one named __proto__',
      JSON.parse('{"":1,"__proto__":2}'),
      JSON.parse('{"":1,"__proto__":2}'),
    ],
    ['half a character', '\ud800', '\ud800'],
    ['numbers that a table cannot hold', [1e300, 2 ** 60, 1e-200], [1e300, 2 ** 60, 1e-200]],
  ])('gives the same as a replay does: %s', async (_, given, expected) => {
    const taskId = newTaskId();
    const seen: unknown[] = [];
    const body = async (ctx: AgentContext) => {
      seen.push(await ctx.step('a', () => given));
      return null;
    };
    await run(body, { taskId });
    await run(body, { taskId, attempt: 2 });
    expect(seen).toEqual([expected, expected]);
    expect(JSON.stringify(seen[1])).toBe(JSON.stringify(expected));
  });

  test('of deep nesting is kept too', async () => {
    const taskId = newTaskId();
    let deep: unknown = 'end';
    for (let level = 0; level < 200; level += 1) {
      deep = [deep];
    }
    const body = (ctx: AgentContext) => ctx.step('deep', () => deep).then((value) => JSON.stringify(value).length);
    expect(await run(body, { taskId })).toMatchObject({ result: 405 });
    expect(await run(body, { taskId, attempt: 2 })).toMatchObject({ result: 405, steps: { executed: 0, replayed: 1 } });
  });

  test.each([
    ['a function', () => () => 1, /it is a function/],
    ['a big integer', () => ({ big: 1n }), /BigInt/],
    ['a number that JSON does not have', () => ({ rate: Number.NaN }), /member "rate": NaN is not a JSON number/],
    ['a map', () => ({ by: new Map([[1, 2]]) }), /member "by": a Map would lose its content/],
    [
      'a circle',
      () => {
        const circle: Record<string, unknown> = {};
        circle.self = circle;
        return circle;
      },
      /circular/,
    ],
  ])('refuses %s as value, names the step, and writes nothing', async (_, give, reason) => {
    const taskId = newTaskId();
    const outcome = await run((ctx) => ctx.step('odd', (): unknown => give()).then(() => 'went on'), { taskId });
    expect(outcome).toMatchObject({
      kind: 'failed',
      error: { code: 'invalid_step', message: expect.stringMatching(reason) },
    });
    expect(outcome).toMatchObject({ error: { message: expect.stringContaining('step:odd') } });
    expect(await attempts.items(taskId)).toEqual([]);
  });

  test('refuses a name used twice, also if the agent catches the error', async () => {
    const outcome = await run(async (ctx) => {
      await ctx.step('again', () => 1);
      await ctx.step('again', () => 2).catch(() => 'caught');
    });
    expect(outcome).toMatchObject({
      kind: 'failed',
      error: { code: 'step_name', message: expect.stringContaining('two steps named "again"') },
    });
  });

  test('lets a step that failed be tried again under its name', async () => {
    let tries = 0;
    const outcome = await run(async (ctx) => {
      const shaky = () =>
        ctx.step('shaky', () => {
          tries += 1;
          if (tries < 3) {
            throw new Error('not yet');
          }
          return tries;
        });
      return shaky().catch(shaky).catch(shaky);
    });
    expect(outcome).toMatchObject({ kind: 'succeeded', result: 3, steps: { executed: 1 } });
  });

  test.each(['', 'x'.repeat(513)])('refuses the name %j', async (name) => {
    expect(await run((ctx) => ctx.step(name, () => 1))).toMatchObject({
      kind: 'failed',
      error: { code: 'step_name', message: expect.stringContaining('a step needs a name of 1 to 512 bytes') },
    });
  });
});

describe('another attempt', () => {
  test('continues after the steps that are finished, and runs only what is left', async () => {
    const taskId = newTaskId();
    const ran: string[] = [];
    const body = (dies: boolean) => async (ctx: AgentContext) => {
      const found: unknown[] = [];
      for (const name of ['one', 'two', 'three', 'four']) {
        if (dies && name === 'three') {
          die();
        }
        found.push(
          await ctx.step(name, () => {
            ran.push(`${name}@${ctx.task.attempt}`);
            return { name, by: ctx.task.attempt };
          }),
        );
      }
      return found;
    };
    expect(await run(body(true), { taskId })).toMatchObject({ kind: 'retry', steps: { executed: 2, replayed: 0 } });
    const second = await run(body(false), { taskId, attempt: 2 });
    expect(second).toMatchObject({
      kind: 'succeeded',
      result: [
        { name: 'one', by: 1 },
        { name: 'two', by: 1 },
        { name: 'three', by: 2 },
        { name: 'four', by: 2 },
      ],
      steps: { executed: 2, replayed: 2 },
    });
    expect(ran).toEqual(['one@1', 'two@1', 'three@2', 'four@2']);
    expect(attempts.log('step replayed').fields).toMatchObject({
      component: 'journal',
      outcome: 'replayed',
      step: 'step:one',
      attempt: 2,
      finishedBy: 1,
    });
  });

  test('says that it begins a step before it does', async () => {
    const taskId = newTaskId();
    let during: unknown;
    await run(
      (ctx) =>
        ctx.step('slow', async () => {
          during = (await attempts.entries(taskId)).get('step:slow');
          return 1;
        }),
      { taskId, attempt: 2 },
    );
    expect(during).toMatchObject({ state: 'started', attempt: 2, token: 'token-2' });
    expect((await attempts.entries(taskId)).get('step:slow')).toMatchObject({ state: 'finished', json: '1' });
  });

  test('neither calls nor pays the model again for what was answered', async () => {
    const taskId = newTaskId();
    attempts.model = ({ body }) => ({
      body: modelMessage(`re: ${(body as { messages: { content: string }[] }).messages[0]?.content}`),
    });
    const body = (dies: boolean) => async (ctx: AgentContext) => {
      const first = await ctx.model.generate({ prompt: 'one' });
      const found = await ctx.tool('search', { q: 'x' }, () => ({ hits: ctx.task.attempt }));
      if (dies) {
        die();
      }
      return { first, found, second: await ctx.model.generate({ prompt: 'two' }) };
    };
    const one = await run(body(true), { taskId });
    const two = await run(body(false), { taskId, attempt: 2, recordUsage: one.usage });
    expect(attempts.provider.requests).toHaveLength(2);
    expect(two).toMatchObject({
      kind: 'succeeded',
      result: {
        first: { text: 're: one', stopReason: 'end_turn', usage: { inputTokens: 100, outputTokens: 20 } },
        found: { hits: 1 },
        second: { text: 're: two' },
      },
      usage: { modelCalls: 2, toolCalls: 1, inputTokens: 200, outputTokens: 40 },
      steps: { executed: 1, replayed: 2 },
    });
    expect(two.usage.cost).toBeCloseTo((200 * 1 + 40 * 5) / 1_000_000, 12);
  });

  test('knows what a worker used that died before it could say so', async () => {
    const taskId = newTaskId();
    await run((ctx) => ctx.model.generate({ prompt: 'one' }).then(die), { taskId });
    const nothing = { modelCalls: 0, toolCalls: 0, inputTokens: 0, outputTokens: 0, cost: 0 };
    const two = await run(async () => null, { taskId, attempt: 2, recordUsage: nothing });
    expect(two.usage).toMatchObject({ modelCalls: 1, inputTokens: 100, outputTokens: 20 });
  });

  test('takes for each thing the larger of what the record says and what the journal says', async () => {
    const taskId = newTaskId();
    await run((ctx) => ctx.model.generate({ prompt: 'one' }).then(die), { taskId });
    const recordUsage = { modelCalls: 4, toolCalls: 2, inputTokens: 7, outputTokens: 900, cost: 0.5 };
    const two = await run(async () => null, { taskId, attempt: 2, recordUsage });
    expect(two.usage).toEqual({ modelCalls: 4, toolCalls: 2, inputTokens: 100, outputTokens: 900, cost: 0.5 });
  });

  test('asks again when the prompt is another one', async () => {
    const taskId = newTaskId();
    const ask = (prompt: string) => (ctx: AgentContext) => ctx.model.generate({ prompt }).then(({ text }) => text);
    await run(ask('old words'), { taskId });
    const two = await run(ask('new words'), { taskId, attempt: 2, release: 'r-ffffffffffff' });
    expect(attempts.provider.requests).toHaveLength(2);
    expect(two).toMatchObject({ kind: 'succeeded', steps: { executed: 1, replayed: 0 } });
    expect(attempts.log('without using steps').fields).toMatchObject({
      outcome: 'unused',
      steps: [expect.stringMatching(/^model:[0-9a-f]{12}#1$/)],
    });
  });

  test('gives repeated questions their answers in their order', async () => {
    const taskId = newTaskId();
    let polls = 0;
    const body = (last: number) => async (ctx: AgentContext) => {
      const seen: unknown[] = [];
      for (let poll = 1; poll <= last; poll += 1) {
        seen.push(
          await ctx.tool('search', { q: 'status' }, () => {
            polls += 1;
            return `state ${polls}`;
          }),
        );
      }
      return seen;
    };
    await run(body(3), { taskId });
    const two = await run(body(4), { taskId, attempt: 2 });
    expect(two).toMatchObject({
      result: ['state 1', 'state 2', 'state 3', 'state 4'],
      steps: { executed: 1, replayed: 3 },
    });
    expect([...(await attempts.entries(taskId)).keys()]).toEqual(
      [1, 2, 3, 4].map((number) => expect.stringMatching(new RegExp(`^tool:search:[0-9a-f]{12}#${number}$`))),
    );
  });

  test('finds the answer of a tool that failed before it answered', async () => {
    const taskId = newTaskId();
    let calls = 0;
    const body = (ctx: AgentContext) => {
      const search = () =>
        ctx.tool('search', { q: 'x' }, () => {
          calls += 1;
          if (calls === 1) {
            throw new Error('index is away');
          }
          return 'found';
        });
      return search().catch(search);
    };
    await run(body, { taskId });
    expect(await run(body, { taskId, attempt: 2 })).toMatchObject({
      result: 'found',
      steps: { executed: 0, replayed: 1 },
    });
    expect(calls).toBe(2);
  });

  test('replays steps that ran at the same time, in whatever order it comes to them', async () => {
    const taskId = newTaskId();
    const ran: string[] = [];
    const body = (names: readonly string[], dies: boolean) => async (ctx: AgentContext) => {
      const values = await Promise.all(
        names.map((name) =>
          ctx.step(name, async () => {
            if (dies && name === 'c') {
              await new Promise((resolve) => setTimeout(resolve, 60));
              die();
            }
            ran.push(`${name}@${ctx.task.attempt}`);
            return name.toUpperCase();
          }),
        ),
      );
      return values.join('');
    };
    expect(await run(body(['a', 'b', 'c', 'd'], true), { taskId })).toMatchObject({
      kind: 'retry',
      steps: { executed: 3 },
    });
    expect(await run(body(['d', 'c', 'b', 'a'], false), { taskId, attempt: 2 })).toMatchObject({
      result: 'DCBA',
      steps: { executed: 1, replayed: 3 },
    });
    expect(ran.sort()).toEqual(['a@1', 'b@1', 'c@2', 'd@1']);
  });

  test('another task that is begun within a step is no part of it', async () => {
    const taskId = newTaskId();
    await run((ctx) =>
      ctx.step('outer', () => run((other) => other.step('inner', () => 'done'), { taskId }).then(() => 1)),
    );
    expect((await attempts.entries(taskId)).get('step:inner')).toEqual(
      expect.not.objectContaining({ parent: expect.anything() }),
    );
  });

  test('replays a step with all that was done within it, which then counts as used', async () => {
    const taskId = newTaskId();
    const body = (dies: boolean) => async (ctx: AgentContext) => {
      const inner = await ctx.step('outer', async () => {
        const state = await ctx.tool('search', { q: 'same' }, () => 'within');
        return ctx.step('inner', () => `${state} inner`);
      });
      const after = await ctx.tool('search', { q: 'same' }, () => 'after');
      if (dies) {
        die();
      }
      return [inner, after];
    };
    await run(body(true), { taskId });
    const entries = await attempts.entries(taskId);
    expect(entries.get('step:inner')).toMatchObject({ parent: 'step:outer' });
    expect(entries.get('step:outer')?.parent).toBeUndefined();
    // The call after the step is the second of its kind, although the first is not made again.
    expect(await run(body(false), { taskId, attempt: 2 })).toMatchObject({
      result: ['within inner', 'after'],
      steps: { executed: 0, replayed: 2 },
    });
    expect(attempts.lines.filter(({ fields }) => fields.outcome === 'unused')).toEqual([]);
  });

  test('continues within a step that was not finished', async () => {
    const taskId = newTaskId();
    const ran: string[] = [];
    const body = (dies: boolean) => (ctx: AgentContext) =>
      ctx.step('outer', async () => {
        ran.push(`outer@${ctx.task.attempt}`);
        const inner = await ctx.step('inner', () => {
          ran.push(`inner@${ctx.task.attempt}`);
          return 'paid';
        });
        if (dies) {
          die();
        }
        return inner;
      });
    await run(body(true), { taskId });
    expect(await run(body(false), { taskId, attempt: 2 })).toMatchObject({ result: 'paid' });
    expect(ran).toEqual(['outer@1', 'inner@1', 'outer@2']);
  });

  test('warns of finished steps that it had no use for, by name', async () => {
    const taskId = newTaskId();
    await run((ctx) => ctx.step('fetch-orders', () => 1).then(die), { taskId });
    await run((ctx) => ctx.step('load-orders', () => 1), { taskId, attempt: 2 });
    expect(attempts.log('without using steps')).toMatchObject({
      level: 'warn',
      fields: { component: 'journal', outcome: 'unused', steps: ['step:fetch-orders'] },
    });
  });

  test('fails when a finished step gets another input, and says which step, which releases, and what to do', async () => {
    const taskId = newTaskId();
    const charge = jest.fn(() => 'charged');
    const body = (amount: number) => (ctx: AgentContext) =>
      ctx.step('charge', charge, { input: { amount } }).catch(() => 'went on');
    await run(body(5), { taskId });
    const two = await run(body(6), { taskId, attempt: 2, release: 'r-ffffffffffff' });
    expect(two).toMatchObject({ kind: 'failed', error: { code: 'journal_mismatch' } });
    expect(two).toMatchObject({
      error: {
        message: expect.stringMatching(
          /step "charge" was finished by release r-0123456789ab \(attempt 1\) with another input than release r-ffffffffffff gives it now; give .* a name of its own/,
        ),
      },
    });
    expect(charge).toHaveBeenCalledTimes(1);
  });

  test('takes a finished step with the same input, however its members are ordered', async () => {
    const taskId = newTaskId();
    await run((ctx) => ctx.step('charge', () => 'charged', { input: { amount: 5, to: 'x' } }), { taskId });
    expect(
      await run((ctx) => ctx.step('charge', () => 'twice', { input: { to: 'x', amount: 5 } }), { taskId, attempt: 2 }),
    ).toMatchObject({ kind: 'succeeded', result: 'charged' });
  });

  test('gives a step the same key for changes outside, and every other step another', async () => {
    const taskId = newTaskId();
    const keys: string[] = [];
    const body = (ctx: AgentContext) =>
      ctx.step('pay', ({ idempotencyKey }) => {
        keys.push(idempotencyKey);
        return die();
      });
    await run(body, { taskId });
    await run(body, { taskId, attempt: 2 });
    await run(body);
    await run((ctx) => ctx.step('pay-2', ({ idempotencyKey }) => keys.push(idempotencyKey)), { taskId });
    expect(keys[0]).toBe(keys[1]);
    expect(new Set(keys).size).toBe(3);
  });
});

describe('two attempts at once', () => {
  test('fails a late attempt at its next step, and writes nothing of it', async () => {
    const taskId = newTaskId();
    let letGo = () => {};
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const ran: string[] = [];
    const zombie = run(
      async (ctx) => {
        await ctx
          .step('slow', async () => {
            await held;
            return 'of the first';
          })
          .catch(() => 'caught');
        await ctx.step('next', () => ran.push('next@1'));
      },
      { taskId },
    );
    const body = async (ctx: AgentContext) => [
      await ctx.step('slow', () => 'of the second'),
      await ctx.step('next', () => 'next of the second'),
    ];
    const second = await run(body, { taskId, attempt: 2 });
    letGo();
    expect(await zombie).toMatchObject({
      kind: 'lost',
      error: { code: 'lease_lost', message: expect.stringContaining('attempt 2 has taken over step:slow') },
      steps: { executed: 0 },
    });
    expect(second).toMatchObject({ kind: 'succeeded', result: ['of the second', 'next of the second'] });
    expect(ran).toEqual([]);
    expect((await attempts.entries(taskId)).get('step:slow')).toMatchObject({ json: '"of the second"', attempt: 2 });
  });

  test('replay what the other one finished after the journal was read', async () => {
    const taskId = newTaskId();
    const second = jest.fn(() => 'of the second');
    const outcome = await run(
      async (ctx) => {
        await run((late) => late.step('a', () => 'of the first'), { taskId });
        return ctx.step('a', second);
      },
      { taskId, attempt: 2 },
    );
    expect(outcome).toMatchObject({ result: 'of the first', steps: { executed: 0, replayed: 1 } });
    expect(second).not.toHaveBeenCalled();
  });

  test('fails before a step when the lease has run out, and does not begin it', async () => {
    const taskId = newTaskId();
    let held = true;
    const never = jest.fn();
    const outcome = await run(
      async (ctx) => {
        await ctx.step('a', () => 1);
        held = false;
        await ctx.step('b', never).catch(() => 'caught');
        return 'went on';
      },
      { taskId, isLeaseHeld: () => held },
    );
    expect(outcome).toMatchObject({ kind: 'lost', error: { message: 'the lease expired before step:b' } });
    expect(never).not.toHaveBeenCalled();
  });

  test('fails before a step when the lease ran out at the last moment: while its beginning was logged', async () => {
    const never = jest.fn();
    const outcome = await run((ctx) => ctx.step('a', never), {
      isLeaseHeld: () => !attempts.lines.some(({ message }) => message === 'step begun'),
    });
    expect(outcome).toMatchObject({ kind: 'lost', error: { message: 'the lease expired before step:a' } });
    expect(never).not.toHaveBeenCalled();
  });

  test('fails when the lease ran out while the step ran, and does not write its value', async () => {
    const taskId = newTaskId();
    let held = true;
    const outcome = await run(
      (ctx) =>
        ctx.step('a', () => {
          held = false;
          return 1;
        }),
      { taskId, isLeaseHeld: () => held },
    );
    expect(outcome).toMatchObject({ kind: 'lost' });
    expect(await attempts.items(taskId)).toEqual([]);
  });
});

describe('a large value', () => {
  const large = { text: 'x'.repeat(MAX_INLINE_STEP_BYTES) };

  test('goes to the bucket, and comes back from there', async () => {
    const taskId = newTaskId();
    const body = (ctx: AgentContext) => ctx.step('large', () => large).then(({ text }) => text.length);
    await run(body, { taskId });
    const entry = (await attempts.entries(taskId)).get('step:large');
    expect(entry?.json).toBeUndefined();
    expect(entry?.ref?.key).toMatch(new RegExp(`^tasks/${taskId}/steps/[0-9a-f]{64}-1\\.json$`));
    expect(await run(body, { taskId, attempt: 2 })).toMatchObject({
      result: MAX_INLINE_STEP_BYTES,
      steps: { executed: 0, replayed: 1 },
    });
  });

  test('fails the task for good when it is gone from the bucket: it is not paid a second time', async () => {
    const taskId = newTaskId();
    const body = (ctx: AgentContext) => ctx.step('large', () => large).then(() => 'fine');
    await run(body, { taskId });
    attempts.payloads.objects.clear();
    expect(await run(body, { taskId, attempt: 2 })).toMatchObject({
      kind: 'failed',
      error: {
        code: 'journal_lost',
        message: expect.stringMatching(/step:large as finished, but its value is lost \(s3:.* is gone/),
      },
    });
  });

  test('fails the attempt and not the task when the bucket is away', async () => {
    attempts.payloads.failure = Object.assign(new Error('slow down'), { name: 'SlowDown' });
    const taskId = newTaskId();
    const clock = new FakeClock(Date.now());
    const body = (ctx: AgentContext) => ctx.step('large', () => large).catch(() => 'caught');
    expect(await run(body, { taskId, clock })).toMatchObject({
      kind: 'retry',
      error: { code: 'journal_unavailable', message: expect.stringContaining('step:large') },
    });
    expect(await attempts.items(taskId)).toEqual([]);
  });

  test('is written again where the bucket was away for a moment: what is paid for is not lost', async () => {
    const clock = new FakeClock(Date.now());
    attempts.payloads.failure = Object.assign(new Error('slow down'), { name: 'SlowDown' });
    const sleep = jest.spyOn(clock, 'sleep').mockImplementation(async () => {
      attempts.payloads.failure = undefined;
    });
    const pay = jest.fn(() => large);
    expect(await run((ctx) => ctx.step('large', pay).then(() => 'fine'), { clock })).toMatchObject({
      kind: 'succeeded',
      steps: { executed: 1 },
    });
    expect(pay).toHaveBeenCalledTimes(1);
    expect(sleep).toHaveBeenCalledTimes(1);
  });

  test('fails the attempt at once when the bucket refuses for good', async () => {
    const clock = new FakeClock(Date.now());
    attempts.payloads.failure = Object.assign(new Error('not allowed'), { name: 'AccessDenied' });
    expect(await run((ctx) => ctx.step('large', () => large), { clock })).toMatchObject({
      kind: 'retry',
      error: { code: 'journal_unavailable', message: expect.stringContaining('not allowed') },
    });
    expect(clock.slept).toEqual([]);
  });

  test('fails when it is larger than the bucket takes, with the numbers', async () => {
    const outcome = await run((ctx) => ctx.step('huge', () => 'x'.repeat(MAX_PAYLOAD_BYTES)));
    expect(outcome).toMatchObject({
      kind: 'failed',
      error: {
        code: 'step_too_large',
        message: expect.stringContaining(`the value of step:huge has ${MAX_PAYLOAD_BYTES + 2} bytes of JSON`),
      },
    });
  });
});

describe('the limits of a release', () => {
  test('fails at one step more than it allows, over all attempts', async () => {
    const taskId = newTaskId();
    const body = (until: number) => async (ctx: AgentContext) => {
      for (let step = 1; step <= until; step += 1) {
        await ctx.step(`s${step}`, () => step);
      }
      if (ctx.task.attempt === 1) {
        die();
      }
    };
    const limits = { maxSteps: 3 };
    expect(await run(body(2), { taskId, limits })).toMatchObject({ kind: 'retry' });
    expect(await run(body(4), { taskId, limits, attempt: 2 })).toMatchObject({
      kind: 'failed',
      error: {
        code: 'limit_exceeded',
        message: 'the task tried to start step:s4 after 3 steps; its release allows maxSteps = 3',
      },
      steps: { executed: 1, replayed: 2 },
    });
  });

  test('counts steps, tools and model calls together', async () => {
    const outcome = await run(
      async (ctx) => {
        await ctx.step('a', () => 1);
        await ctx.tool('search', { q: 'x' }, () => 1);
        await ctx.model.generate({ prompt: 'p' });
        await ctx.step('b', () => 1);
      },
      { limits: { maxSteps: 3 } },
    );
    expect(outcome).toMatchObject({ kind: 'failed', error: { code: 'limit_exceeded' }, steps: { executed: 3 } });
  });

  test('fails a loop over a step that never succeeds', async () => {
    let ended = false;
    const outcome = await run(
      async (ctx) => {
        // Does not listen to anything: without a pause in its refusals it would keep its worker for ever.
        while (!ended) {
          await ctx
            .step('hopeless', () => {
              throw new Error('no');
            })
            .catch(() => {});
        }
      },
      { limits: { maxSteps: 50 } },
    );
    ended = true;
    expect(outcome).toMatchObject({ kind: 'failed', error: { code: 'limit_exceeded' } });
  });

  test.each([
    ['maxModelCalls', { maxModelCalls: 1 }, /after 1 model calls/],
    ['maxTokens', { maxTokens: 200 }, /has used 240 tokens/],
    ['maxCost', { maxCost: 0.0003 }, /has cost 0\.000400 US dollars/],
  ])('fails at %s with what earlier attempts used', async (limit, limits, message) => {
    const taskId = newTaskId();
    await run((ctx) => ctx.model.generate({ prompt: 'one' }).then(die), { taskId, limits });
    const two = await run((ctx) => ctx.model.generate({ prompt: 'two' }), { taskId, limits, attempt: 2 });
    expect(two).toMatchObject({
      kind: 'failed',
      error: { code: 'limit_exceeded', message: expect.stringMatching(message) },
    });
    expect(two).toMatchObject({ error: { message: expect.stringContaining(limit) } });
  });
});

describe('the journal', () => {
  test('fails the attempt, and lets it be repeated, when it cannot be read', async () => {
    const gone = new JournalStore(attempts.documents, 'no-such-table', { now: () => 0, sleep: async () => {} });
    await expect(gone.load(newTaskId())).rejects.toMatchObject({
      code: 'journal_unavailable',
      message: expect.stringContaining('the step journal could not be read'),
    });
  });

  test('fails a task whose journal a newer library wrote, by the name of the entry', async () => {
    const taskId = newTaskId();
    await attempts.documents.send(
      new PutCommand({ TableName: TASKS, Item: { ...TaskKey.step(taskId, 'step:a'), key: 'step:a', state: 'split' } }),
    );
    await expect(run(() => 1, { taskId, attempt: 2 })).rejects.toMatchObject({
      code: 'journal_unreadable',
      message: expect.stringContaining('STEP#step:a in the step journal'),
    });
  });

  test('does not know what has expired, though DynamoDB has not deleted it yet', async () => {
    const taskId = newTaskId();
    const old = { now: () => Date.UTC(2020, 0, 1), sleep: async () => {} };
    await run((ctx) => ctx.step('a', () => 'of a former life'), { taskId, clock: old });
    expect(await run((ctx) => ctx.step('a', () => 'of this one'), { taskId })).toMatchObject({
      kind: 'succeeded',
      result: 'of this one',
    });
    await attempts.documents.send(new DeleteCommand({ TableName: TASKS, Key: TaskKey.step(taskId, 'step:a') }));
  });

  test('is read in whole, however long it is', async () => {
    const taskId = newTaskId();
    const body = async (ctx: AgentContext) => {
      for (let step = 0; step < 90; step += 1) {
        await ctx.step(`s${step}`, () => 'x'.repeat(MAX_INLINE_STEP_BYTES - 2));
      }
      return 'done';
    };
    await run(body, { taskId });
    expect(await run(body, { taskId, attempt: 2 })).toMatchObject({ steps: { executed: 0, replayed: 90 } });
  });

  test('holds nothing of an agent that has no steps', async () => {
    const taskId = newTaskId();
    await run(() => 'ok', { taskId });
    expect(await attempts.items(taskId)).toEqual([]);
  });

  test('is not kept for a probe', async () => {
    const taskId = newTaskId();
    const body = (ctx: AgentContext) => ctx.step('a', () => new Date(0));
    expect(await run(body, { taskId, mode: 'probe' })).toMatchObject({
      result: '1970-01-01T00:00:00.000Z',
      steps: { executed: 0, replayed: 0 },
    });
    expect(await attempts.items(taskId)).toEqual([]);
  });
});

describe('an error of a step', () => {
  test('is handed to the agent and not kept', async () => {
    const taskId = newTaskId();
    const outcome = await run(
      (ctx) =>
        ctx.step('a', () => {
          throw new FatalError('no such order', { code: 'order_unknown' });
        }),
      { taskId },
    );
    expect(outcome).toMatchObject({ kind: 'failed', error: { code: 'order_unknown' } });
    expect(await attempts.items(taskId)).toEqual([]);
  });

  test('that the model provider gave is not kept: the next attempt asks again', async () => {
    const taskId = newTaskId();
    const ask = (ctx: AgentContext) => ctx.model.generate({ prompt: 'p' }).then(({ text }) => text);
    attempts.model = () => modelError(500, 'api_error', 'away');
    const one = await run(ask, { taskId });
    expect(one).toMatchObject({ kind: 'retry', error: { code: 'model_unavailable' }, usage: { modelCalls: 1 } });
    attempts.model = () => ({ body: modelMessage('back') });
    expect(await run(ask, { taskId, attempt: 2, recordUsage: one.usage })).toMatchObject({
      result: 'back',
      usage: { modelCalls: 2, inputTokens: 100 },
    });
  });
});
