import { modelProviders } from '../../../../lambda/runtime/model/model-providers';
import { ProviderError } from '../../../../lambda/runtime/model/provider';
import type { ModelSettings } from '../../../../lib/contract';
import { type ProviderRule, ScriptedProvider } from '../../../../rehearsal/provider';

const NAMES = ['anthropic', 'openai', 'bedrock', 'openai_compatible'] as const;

/** As the script names it. */
const API = { anthropic: 'anthropic', openai: 'openai', bedrock: 'bedrock', openai_compatible: 'openai' } as const;

const environment = { ...process.env };
const running: ScriptedProvider[] = [];

afterEach(async () => {
  process.env = { ...environment };
  await Promise.all(running.splice(0).map((provider) => provider.stop()));
});

async function setUp(name: (typeof NAMES)[number], rule: Omit<ProviderRule, 'name'>) {
  const scripted = await ScriptedProvider.start({
    rules: [{ name: 'all', ...rule, match: { provider: API[name], ...rule.match } }],
    seed: 1,
  });
  running.push(scripted);
  Object.assign(process.env, {
    ANTHROPIC_BASE_URL: scripted.url,
    OPENAI_BASE_URL: `${scripted.url}/v1`,
    AWS_ENDPOINT_URL_BEDROCK_RUNTIME: scripted.url,
    AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'example',
  });
  const model: ModelSettings = {
    provider: name,
    id: 'pinned-2025-08-07-v1:0',
    maxTokens: 100,
    timeoutMs: 5_000,
    price: { inputPerMillion: 1, outputPerMillion: 1 },
    ...(name === 'openai_compatible' ? { baseUrl: `${scripted.url}/v1` } : {}),
    ...(name === 'bedrock' ? { region: 'eu-central-1' } : {}),
  };
  const generate = (signal = new AbortController().signal, timeoutMs = 5_000) =>
    modelProviders()[name].generate({
      model: { ...model, timeoutMs },
      apiKey: name === 'bedrock' ? undefined : 'sk-0123456789',
      prompt: 'who?',
      system: 'be brief',
      maxTokens: 50,
      signal,
    });
  return { generate, scripted };
}

describe.each(NAMES)('%s through its SDK', (name) => {
  test('gives text, tokens and why the model stopped', async () => {
    const { generate } = await setUp(name, {
      match: { system: 'be brief', messages: 'who?', model: 'pinned-2025-08-07-v1:0' },
      answer: { text: 'me', inputTokens: 7, outputTokens: 3 },
    });
    expect(await generate()).toEqual({
      text: 'me',
      inputTokens: 7,
      outputTokens: 3,
      stopReason: API[name] === 'openai' ? 'stop' : 'end_turn',
    });
  });

  test('asks for no longer an answer than it is told', async () => {
    const { generate } = await setUp(name, { answer: { text: 'x'.repeat(1_000) } });
    const { outputTokens, stopReason } = await generate();
    expect(outputTokens).toBe(50);
    expect(stopReason).toBe(API[name] === 'openai' ? 'length' : 'max_tokens');
  });

  test.each([
    [400, 'refused'],
    [403, 'refused'],
    [404, 'refused'],
    [429, 'throttled'],
    [500, 'unavailable'],
    [503, 'unavailable'],
  ] as const)('fails with status %i as %s', async (status, kind) => {
    const { generate, scripted } = await setUp(name, { errors: [{ status, rate: 1 }] });
    const error: unknown = await generate().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ProviderError);
    expect(error).toMatchObject({ kind, status, message: expect.stringContaining(String(status)) });
    // Its own repetitions are off: those are the chain's.
    expect(scripted.counts()[0]?.requests).toBe(1);
  });

  test('fails as unavailable when no server listens', async () => {
    const { generate, scripted } = await setUp(name, {});
    await scripted.stop();
    running.length = 0;
    await expect(generate()).rejects.toMatchObject({ kind: 'unavailable', status: 'connection' });
  });

  test('fails with the reason of the signal', async () => {
    const { generate } = await setUp(name, { timeoutRate: 1 });
    const controller = new AbortController();
    const asking = generate(controller.signal);
    setTimeout(() => controller.abort(new Error('enough')), 50);
    await expect(asking).rejects.toThrow('enough');
  });
});

test.each(['anthropic', 'openai', 'openai_compatible'] as const)(
  '%s says when it wants to be asked again, and whether the key is good',
  async (name) => {
    const limited = await setUp(name, { errors: [{ status: 429, rate: 1, retryAfterSeconds: 7 }] });
    await expect(limited.generate()).rejects.toMatchObject({ retryAfterMs: 7_000 });
    const locked = await setUp(name, { errors: [{ status: 401, rate: 1 }] });
    await expect(locked.generate()).rejects.toMatchObject({ kind: 'unauthorized' });
  },
);
