import { GetCommand } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import { defineAgent } from '../../../lambda/runtime';
import { createHandler } from '../../../lambda/worker';
import { DIMENSION_SETS, ModelMetric, TaskKey } from '../../../lib/contract';
import { type ProviderRule, ScriptedProvider } from '../../../rehearsal/provider';
import { Output } from './support/output';
import { behaviorDocument, context, messageFor, TASKS, TaskCloud } from './support/task-cloud';

const FALLBACK = 'fallback-1';

let cloud: TaskCloud;
let output: Output;
let provider: ScriptedProvider;
const environment = process.env;

beforeAll(async () => {
  cloud = await TaskCloud.start();
});

afterAll(() => cloud.close());

afterEach(async () => {
  output.restore();
  process.env = environment;
  await provider.stop();
});

async function work(rules: readonly ProviderRule[]) {
  cloud.reset();
  provider = await ScriptedProvider.start({ rules, seed: 1 });
  const plain = behaviorDocument();
  const fallback = {
    provider: 'openai_compatible' as const,
    id: FALLBACK,
    baseUrl: `${provider.url}/v1`,
    maxTokens: 100,
    timeoutMs: 2_000,
    price: { inputPerMillion: 100_000, outputPerMillion: 0 },
  };
  cloud.s3 = () => ({
    body: behaviorDocument({ fallbacks: [fallback], modelPolicy: { ...plain.modelPolicy, breakerFailures: 1 } }),
  });
  process.env = { ...environment, ...cloud.environment(), ANTHROPIC_BASE_URL: provider.url };
  output = new Output();
  const task = await cloud.putTask();
  const agent = defineAgent({
    input: z.object({ question: z.string() }),
    run: async (_, ctx) => (await ctx.model.generate({ prompt: 'p' })).model,
  });
  await createHandler(agent)({ Records: [messageFor(task)] }, context(60_000));
  return cloud.task(task.id);
}

const emitted = (name: string) =>
  output.metrics().filter(({ _aws }) => _aws.CloudWatchMetrics.some(({ Metrics }) => Metrics[0]?.Name === name));

test('an answer of a fallback is in the record, at its own price, and is measured', async () => {
  const record = await work([
    { name: 'primary', match: { provider: 'anthropic' }, errors: [{ status: 503, rate: 1 }] },
    { name: 'fallback', answer: { inputTokens: 3 } },
  ]);
  expect(record).toMatchObject({
    status: 'succeeded',
    result: FALLBACK,
    models: { [FALLBACK]: 1 },
    usage: { modelCalls: 1, inputTokens: 3, cost: 0.3 },
  });
  for (const name of [ModelMetric.FALLBACK, ModelMetric.CIRCUIT_OPENED]) {
    expect(emitted(name)).toEqual([
      expect.objectContaining({
        [name]: 1,
        _aws: expect.objectContaining({ CloudWatchMetrics: [expect.objectContaining({ Dimensions: DIMENSION_SETS })] }),
      }),
    ]);
  }
});

test('an answer of the primary is no fallback', async () => {
  const record = await work([{ name: 'all' }]);
  expect(record.models).toEqual({ [behaviorDocument().model.id]: 1 });
  expect(emitted(ModelMetric.FALLBACK)).toEqual([]);
});

test('the journal says which model answered', async () => {
  const record = await work([{ name: 'all' }]);
  const writes = output.logs().filter(({ component }) => component === 'journal');
  const { step } = z.object({ step: z.string() }).parse(writes[0]);
  const { Item } = await cloud.documents.send(
    new GetCommand({ TableName: TASKS, Key: TaskKey.step(record.id, step), ConsistentRead: true }),
  );
  expect(Item).toMatchObject({ kind: 'model', model: behaviorDocument().model.id });
});
