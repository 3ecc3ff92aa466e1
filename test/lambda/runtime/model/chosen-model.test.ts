import type { AgentLogger } from '../../../../lambda/runtime';
import { ModelChain } from '../../../../lambda/runtime/model/model-chain';
import { ProviderError } from '../../../../lambda/runtime/model/provider';
import { SecretReader } from '../../../../lambda/runtime/secrets';
import { DEFAULT_MODEL_POLICY, type ModelSettings } from '../../../../lib/contract';

const settings = (id: string): ModelSettings => ({
  provider: 'bedrock',
  id,
  maxTokens: 100,
  timeoutMs: 200,
  price: { inputPerMillion: 1, outputPerMillion: 1 },
});

const clock = { now: () => 0, sleep: () => Promise.resolve() };
const silent: AgentLogger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** A chain of a, b and c of which one is away. */
function ask(model: string, away?: string) {
  const asked: string[] = [];
  const chain = new ModelChain({
    behavior: {
      model: settings('a'),
      fallbacks: [settings('b'), settings('c')],
      modelPolicy: { ...DEFAULT_MODEL_POLICY, attempts: 1 },
    },
    secrets: new SecretReader({}, clock),
    clock,
    providers: {
      bedrock: {
        generate: async ({ model: { id } }) => {
          asked.push(id);
          if (id === away) {
            throw new ProviderError('unavailable', 503, 'away');
          }
          return { text: 'fine', stopReason: 'end_turn', inputTokens: 1, outputTokens: 1 };
        },
      },
    },
  });
  const answer = chain.generate({
    request: { prompt: 'p', model },
    mode: 'live',
    signal: new AbortController().signal,
    logger: silent,
    onCall: async () => {},
    onBreakerOpened: () => {},
  });
  return { answer, asked };
}

test('the model that was asked for comes first, and is no fallback', async () => {
  const { answer, asked } = ask('b');
  expect(await answer).toMatchObject({ model: { id: 'b' }, fallback: false });
  expect(asked).toEqual(['b']);
});

test('the others of the chain follow it in their order', async () => {
  const { answer, asked } = ask('b', 'b');
  expect(await answer).toMatchObject({ model: { id: 'a' }, fallback: true });
  expect(asked).toEqual(['b', 'a']);
});

test('fails for a model that the chain does not have, without asking any', async () => {
  const { answer, asked } = ask('d');
  await expect(answer).rejects.toMatchObject({ code: 'model_unknown', message: expect.stringContaining('a, b, c') });
  expect(asked).toEqual([]);
});
