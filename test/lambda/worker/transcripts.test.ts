import { z } from 'zod';
import { type AgentContext, type AgentDefinition, defineAgent } from '../../../lambda/runtime';
import { type AttemptSetup, Attempts, newTaskId } from './support/attempts';
import { KEY, modelError, modelMessage, RELEASE } from './support/task-cloud';

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

const agentThat = (
  body: (ctx: AgentContext) => unknown,
  redact?: (text: string) => string,
): AgentDefinition<null, unknown> =>
  defineAgent({
    input: z.null(),
    run: (_, ctx) => body(ctx),
    redact,
  });

const run = (agent: AgentDefinition<null, unknown>, setup: AttemptSetup) =>
  attempts.run(agent, null, { transcripts: true, ...setup });

function transcript(taskId: string, attempt: number, call: number): unknown {
  const key = `transcripts/${taskId}/00${attempt}-000${call}.json`;
  const text = attempts.payloads.objects.get(key);
  if (text === undefined) {
    throw new Error(`there is no ${key}, only ${[...attempts.payloads.objects.keys()]}`);
  }
  return JSON.parse(text);
}

const ask = (prompt: string) => (ctx: AgentContext) => ctx.model.generate({ prompt }).then(({ text }) => text);

test('holds what a model was asked and what it answered, one object per call', async () => {
  const taskId = newTaskId();
  await run(
    agentThat(async (ctx) => {
      await ctx.model.generate({ prompt: 'why?', system: 'be brief', maxTokens: 9 });
      await ctx.model.generate({ prompt: 'and then?' });
    }),
    { taskId },
  );
  expect(transcript(taskId, 1, 1)).toEqual({
    task: taskId,
    attempt: 1,
    call: 1,
    at: expect.stringMatching(/^\d{4}-.*Z$/),
    release: RELEASE,
    model: 'claude-haiku-4-5-20251001',
    request: { prompt: 'why?', system: 'be brief', maxTokens: 9 },
    answer: { text: 'fine', stopReason: 'end_turn' },
    usage: { inputTokens: 100, outputTokens: 20, cost: 0.0002 },
  });
  expect(transcript(taskId, 1, 2)).toMatchObject({ call: 2, request: { prompt: 'and then?', maxTokens: 500 } });
});

test('holds the error of a call that was not answered', async () => {
  const taskId = newTaskId();
  attempts.model = () => modelError(529, 'overloaded_error', 'busy');
  await run(agentThat(ask('why?')), { taskId });
  expect(transcript(taskId, 1, 1)).toMatchObject({
    request: { prompt: 'why?' },
    error: { code: 'model_throttled', message: expect.stringContaining('overloaded_error: busy') },
  });
  expect(transcript(taskId, 1, 1)).not.toHaveProperty('answer');
});

test('is of executed calls alone: a replayed one was recorded when it was made', async () => {
  const taskId = newTaskId();
  await run(agentThat(ask('why?')), { taskId });
  await run(
    agentThat(async (ctx) => [await ask('why?')(ctx), await ask('what else?')(ctx)]),
    { taskId, attempt: 2 },
  );
  expect([...attempts.payloads.objects.keys()]).toEqual([
    `transcripts/${taskId}/001-0001.json`,
    `transcripts/${taskId}/002-0001.json`,
  ]);
  expect(transcript(taskId, 2, 1)).toMatchObject({ request: { prompt: 'what else?' } });
});

test('holds no secret, and nothing that the agent takes out', async () => {
  const taskId = newTaskId();
  attempts.model = () => ({ body: modelMessage(`your key is ${KEY}, ann@example.com`) });
  await run(
    agentThat(
      async (ctx) => {
        const key = await ctx.secret('anthropic');
        await ctx.model.generate({ prompt: `"${key}" of ann@example.com`, system: 'ask ann@example.com' });
      },
      (text) => text.replaceAll(/\S+@\S+/g, '<address>'),
    ),
    { taskId },
  );
  expect(transcript(taskId, 1, 1)).toMatchObject({
    request: { prompt: '"***" of <address>', system: 'ask <address>' },
    answer: { text: 'your key is ***, <address>' },
  });
});

test('that cannot be written is a warning, and the task continues', async () => {
  attempts.payloads.failure = new Error('the bucket is away');
  expect(await run(agentThat(ask('why?')), {})).toMatchObject({ kind: 'succeeded', result: 'fine' });
  expect(attempts.log('transcript of a model call could not be written')).toMatchObject({
    level: 'warn',
    fields: { component: 'transcripts', outcome: 'error', reason: 'the bucket is away' },
  });
});

test('is not written at all when the agent fails to take out what it must', async () => {
  const agent = agentThat(ask('ann@example.com'), () => {
    throw new Error('no pattern');
  });
  expect(await run(agent, {})).toMatchObject({ kind: 'succeeded' });
  expect(attempts.payloads.objects.size).toBe(0);
  expect(attempts.log('could not be written').fields).toMatchObject({ reason: 'no pattern' });
});

test.each([
  ['of a probe', { mode: 'probe' }],
  ['where they are off', { transcripts: false }],
] as const)('is not written %s', async (_, setup) => {
  expect(await run(agentThat(ask('why?')), setup)).toMatchObject({ kind: 'succeeded' });
  expect(attempts.payloads.objects.size).toBe(0);
});
