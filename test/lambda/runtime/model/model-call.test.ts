import { callModel } from '../../../../lambda/runtime/model/model-call';
import { type ModelProvider, ProviderError } from '../../../../lambda/runtime/model/provider';
import { SecretReader, type SecretStage } from '../../../../lambda/runtime/secrets';
import type { ModelSettings } from '../../../../lib/contract';

const settings: ModelSettings = {
  provider: 'anthropic',
  id: 'a',
  secret: 'key',
  maxTokens: 100,
  timeoutMs: 200,
  price: { inputPerMillion: 1, outputPerMillion: 1 },
};

/** A secret and a provider, each with its own idea of which key is good. */
function setUp(accepted: ReadonlySet<string>) {
  const clock = { time: 0, now: () => clock.time, sleep: () => Promise.resolve() };
  const stored: Record<SecretStage, string | undefined> = { AWSCURRENT: 'key-1-aaaa', AWSPREVIOUS: undefined };
  const secrets = new SecretReader({ key: 'arn' }, clock, { fetch: async (_, stage) => stored[stage] });
  const sent: (string | undefined)[] = [];
  const provider: ModelProvider = {
    generate: async ({ apiKey }) => {
      sent.push(apiKey);
      if (apiKey === undefined || !accepted.has(apiKey)) {
        throw new ProviderError('unauthorized', 401, 'no');
      }
      return { text: 'fine', stopReason: 'end_turn', inputTokens: 1, outputTokens: 1 };
    },
  };
  const lines: string[] = [];
  const log = (message: string, fields?: object) => lines.push(JSON.stringify({ message, ...fields }));
  const logger = { debug: log, info: log, warn: log, error: log };
  const call = () =>
    callModel({ settings, provider, secrets }, { prompt: 'p' }, { signal: new AbortController().signal, logger });
  return { call, secrets, stored, sent, lines };
}

test('takes the new key when the one it knows was rotated away', async () => {
  const { call, secrets, stored, sent, lines } = setUp(new Set(['key-2-bbbb']));
  await secrets.get('key');
  Object.assign(stored, { AWSCURRENT: 'key-2-bbbb', AWSPREVIOUS: 'key-1-aaaa' });
  expect(await call()).toMatchObject({ text: 'fine' });
  expect(sent).toEqual(['key-1-aaaa', 'key-2-bbbb']);
  expect(lines.join()).toContain('"stage":"AWSCURRENT"');
  expect(lines.join()).not.toMatch(/key-[12]/);
});

test('takes the former key while the provider does not know the new one yet, and stays with it for a while', async () => {
  const { call, stored, sent, lines } = setUp(new Set(['key-1-aaaa']));
  Object.assign(stored, { AWSCURRENT: 'key-2-bbbb', AWSPREVIOUS: 'key-1-aaaa' });
  expect(await call()).toMatchObject({ text: 'fine' });
  expect(await call()).toMatchObject({ text: 'fine' });
  expect(sent).toEqual(['key-2-bbbb', 'key-1-aaaa', 'key-1-aaaa']);
  expect(lines.join()).toContain('"stage":"AWSPREVIOUS"');
  expect(lines.join()).not.toMatch(/key-[12]/);
});

test('takes the new key when the rotation ends between the reads of the current and of the former one', async () => {
  const { call, stored, sent } = setUp(new Set(['key-2-bbbb']));
  Object.defineProperty(stored, 'AWSPREVIOUS', {
    get: () => {
      stored.AWSCURRENT = 'key-2-bbbb';
      return 'key-1-aaaa';
    },
  });
  expect(await call()).toMatchObject({ text: 'fine' });
  expect(sent).toEqual(['key-1-aaaa', 'key-2-bbbb']);
});

test('fails when no version of the key is accepted, having tried each once', async () => {
  const { call, stored, sent } = setUp(new Set());
  Object.assign(stored, { AWSCURRENT: 'key-2-bbbb', AWSPREVIOUS: 'key-1-aaaa' });
  await expect(call()).rejects.toMatchObject({ kind: 'unauthorized' });
  expect(sent).toEqual(['key-2-bbbb', 'key-1-aaaa']);
});

test('fails after one call when there is but one version', async () => {
  const { call, sent } = setUp(new Set());
  await expect(call()).rejects.toMatchObject({ kind: 'unauthorized' });
  expect(sent).toEqual(['key-1-aaaa']);
});
