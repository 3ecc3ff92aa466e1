import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import agent from '../../../examples/support-agent/agent/agent';
import { createHandler } from '../../../lambda/worker';
import type { BehaviorDocument } from '../../../lib/contract';
import type { StubRequest } from './support/http-stub';
import { Output } from './support/output';
import { behaviorDocument, context, messageFor, modelMessage, TaskCloud } from './support/task-cloud';

const EXAMPLE = join(__dirname, '../../../examples/support-agent');

/** Behaviors and the phrase in their prompts that rehearsals tell them apart by; the example's README lists them. */
const PHRASES = {
  agent: 'in at most three sentences',
  'agent-regressed': 'explain every step of your reasoning in full',
  'agent-improved': 'in one or two short sentences',
} as const;
type Behavior = keyof typeof PHRASES;

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

function readFolder<T>(folder: string, parse: (text: string) => T): Record<string, T> {
  return Object.fromEntries(
    readdirSync(folder).map((file) => [
      basename(file).replace(/\.\w+$/, ''),
      parse(readFileSync(join(folder, file), 'utf8')),
    ]),
  );
}

function behavior(name: Behavior): BehaviorDocument {
  return behaviorDocument({
    prompts: readFolder(join(EXAMPLE, name, 'prompts'), (text) => text),
    tools: readFolder(join(EXAMPLE, name, 'tools'), (text) => JSON.parse(text)),
  });
}

const answer = (changes: object = {}) =>
  modelMessage(JSON.stringify({ answer: 'Within 30 days.', confidence: 0.9, sources: ['returns'], ...changes }));

const promptOf = ({ body }: StubRequest): string => JSON.stringify(body);

async function ask(input: BehaviorDocument['tools'][string], options: { session?: string; behavior?: Behavior } = {}) {
  cloud.s3 = () => ({ body: behavior(options.behavior ?? 'agent') });
  const task = await cloud.putTask({ input, session: options.session });
  await createHandler(agent)({ Records: [messageFor(task)] }, context());
  return cloud.task(task.id);
}

test('answers from the articles it found, and judges itself', async () => {
  cloud.model = () => ({ body: answer() });
  const record = await ask({ question: 'How can I return an item?' });
  expect(record).toMatchObject({
    status: 'succeeded',
    result: { answer: 'Within 30 days.', confidence: 0.9, sources: ['returns'] },
    score: 0.9,
    usage: { toolCalls: 1, modelCalls: 1 },
  });
  expect(cloud.stubs.model.requests.map(promptOf)[0]).toContain('[returns] Returning an item');
});

test('asks for the order that the customer named', async () => {
  cloud.model = () => ({ body: answer() });
  const record = await ask({ question: 'Where is it?', orderId: 'A-17' });
  expect(record.usage).toMatchObject({ toolCalls: 2 });
  expect(cloud.stubs.model.requests.map(promptOf)[0]).toMatch(
    /Order A-17 is (being packed|with the carrier|delivered)/,
  );
});

test('looks again when it is not sure', async () => {
  cloud.model = (request) => ({
    body: promptOf(request).includes('Your first answer') ? answer({ confidence: 0.8 }) : answer({ confidence: 0.3 }),
  });
  const record = await ask({ question: 'How do refunds work?' });
  expect(record).toMatchObject({ status: 'succeeded', score: 0.8, usage: { toolCalls: 2, modelCalls: 2 } });
});

test('scores an answer down that cites what it was not shown', async () => {
  cloud.model = () => ({ body: answer({ sources: ['returns', 'made-up'] }) });
  expect((await ask({ question: 'How can I return an item?' })).score).toBeCloseTo(0.45);
});

test('remembers the conversation', async () => {
  cloud.model = () => ({ body: answer() });
  await ask({ question: 'How can I return an item?' }, { session: 'c-1' });
  await ask({ question: 'And is that free?' }, { session: 'c-1' });
  expect(cloud.stubs.model.requests.map(promptOf)[1]).toContain('Customer: How can I return an item?');
  expect(await cloud.session('c-1')).toMatchObject({ version: 2 });
});

test.each(['Let me think about this at length', '{"answer": "Within 30', '{"answer":"x","confidence":7,"sources":[]}'])(
  'fails on an answer that is not the JSON it asked for: %s',
  async (text) => {
    cloud.model = () => ({ body: modelMessage(text) });
    expect(await ask({ question: 'How?' })).toMatchObject({ status: 'failed', error: { code: 'malformed_answer' } });
  },
);

test('fails when the model refuses', async () => {
  cloud.model = () => ({ body: { ...modelMessage(''), stop_reason: 'refusal' } });
  expect(await ask({ question: 'How?' })).toMatchObject({ status: 'failed', error: { code: 'model_refusal' } });
});

describe.each(Object.keys(PHRASES) as Behavior[])('the behavior %s', (name) => {
  test('answers the probe of the agent', async () => {
    cloud.s3 = () => ({ body: behavior(name) });
    cloud.model = () => ({ body: answer() });
    const task = await cloud.putTask({ mode: 'probe' });
    await createHandler(agent)({ Records: [messageFor(task)] }, context());
    expect((await cloud.task(task.id)).status).toBe('succeeded');
  });

  test('has its own phrase in both prompts, as the provider sees them, and none of the others', async () => {
    cloud.model = () => ({ body: answer({ confidence: 0.1 }) });
    await ask({ question: 'How?' }, { behavior: name });
    expect(cloud.stubs.model.requests).toHaveLength(2);
    for (const request of cloud.stubs.model.requests) {
      for (const [other, phrase] of Object.entries(PHRASES)) {
        expect(promptOf(request).includes(phrase)).toBe(other === name);
      }
    }
    expect(readFileSync(join(EXAMPLE, 'README.md'), 'utf8')).toContain(`\`${PHRASES[name]}\``);
  });

  test('differs from the others in its prompts alone', () => {
    expect(behavior(name).tools).toEqual(behavior('agent').tools);
    expect(Object.keys(behavior(name).prompts)).toEqual(Object.keys(behavior('agent').prompts));
  });
});
