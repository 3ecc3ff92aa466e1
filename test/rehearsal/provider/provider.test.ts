import Anthropic from '@anthropic-ai/sdk';
import { type ProviderRule, ScriptedProvider } from '../../../rehearsal/provider';

const MODEL = 'claude-scripted-20260101';

describe('ScriptedProvider, called by the real SDK', () => {
  const running: ScriptedProvider[] = [];

  afterEach(async () => {
    await Promise.all(running.splice(0).map((provider) => provider.stop()));
  });

  async function start(rules: readonly ProviderRule[], seed = 1) {
    const provider = await ScriptedProvider.start({ rules, seed });
    running.push(provider);
    const client = new Anthropic({ apiKey: 'key', baseURL: provider.url, maxRetries: 0 });
    return { provider, client };
  }

  function ask(client: Anthropic, text: string, system?: string, maxTokens = 500) {
    return client.messages.create({
      model: MODEL,
      max_tokens: maxTokens,
      messages: [{ role: 'user', content: text }],
      system,
    });
  }

  test('answers by the first matching rule, inserts the groups of the regular expression, and counts', async () => {
    const { client, provider } = await start([
      {
        name: 'orders',
        match: { messages: { regex: 'order (\\d+)' }, system: 'polite' },
        answer: { text: 'Order {{1}} is on its way ({{model}}, {{count}}).', inputTokens: 120, outputTokens: 30 },
      },
      { name: 'rest' },
    ]);

    const order = await ask(client, 'Where is order 4711?', 'Be polite.');
    expect(order.content).toEqual([
      expect.objectContaining({ type: 'text', text: `Order 4711 is on its way (${MODEL}, 1).` }),
    ]);
    expect(order.usage).toMatchObject({ input_tokens: 120, output_tokens: 30 });
    expect(order.stop_reason).toBe('end_turn');
    expect((await ask(client, 'Where is order 4711?', 'Be rude.')).content).toEqual([
      expect.objectContaining({ text: 'ok' }),
    ]);
    expect(provider.counts()).toEqual([
      { rule: 'orders', requests: 1, answers: 1, errors: 0, timeouts: 0, refusals: 0, malformed: 0 },
      { rule: 'rest', requests: 1, answers: 1, errors: 0, timeouts: 0, refusals: 0, malformed: 0 },
    ]);
  });

  test('estimates tokens from the lengths of the texts', async () => {
    const { client } = await start([{ name: 'all', answer: { text: 'x'.repeat(40) } }]);
    expect((await ask(client, 'y'.repeat(80), 'z'.repeat(20))).usage).toMatchObject({
      input_tokens: 25,
      output_tokens: 10,
    });
  });

  test('truncates an answer at max_tokens, with that stop reason', async () => {
    const { client } = await start([{ name: 'all', answer: { text: 'x'.repeat(400) } }]);
    const answer = await ask(client, 'long', undefined, 10);
    expect(answer.stop_reason).toBe('max_tokens');
    expect(answer.usage.output_tokens).toBe(10);
    expect(answer.content).toEqual([expect.objectContaining({ text: 'x'.repeat(40) })]);
  });

  test.each([
    [429, 'rate_limit_error', '7'],
    [500, 'api_error', null],
    [529, 'overloaded_error', null],
  ] as const)('fails with status %i in the shape of the Messages API', async (status, type, retryAfter) => {
    const { client } = await start([
      {
        name: 'all',
        errors: [{ status, rate: 1, ...(retryAfter === null ? {} : { retryAfterSeconds: Number(retryAfter) }) }],
      },
    ]);
    const error = await ask(client, 'hello').then(
      () => undefined,
      (caught: unknown) => caught,
    );
    expect(error).toBeInstanceOf(Anthropic.APIError);
    const failure = error as InstanceType<typeof Anthropic.APIError>;
    expect(failure.status).toBe(status);
    expect(failure.error).toMatchObject({ type: 'error', error: { type } });
    expect(failure.requestID).toMatch(/^req_/);
    expect(failure.headers?.get('retry-after') ?? null).toBe(retryAfter);
  });

  test('answers with stop reason refusal at the configured rate', async () => {
    const { client } = await start([{ name: 'all', refusalRate: 1 }]);
    const answer = await ask(client, 'hello');
    expect(answer.stop_reason).toBe('refusal');
    expect(answer.content).toEqual([]);
  });

  test('gives malformed answers at the configured rate', async () => {
    const { client, provider } = await start([
      { name: 'all', answer: { text: '{"score":1}', latencyMs: 0 }, malformed: { rate: 0.3 } },
    ]);
    const texts = await Promise.all(
      Array.from({ length: 200 }, async (_, n) => (await ask(client, `question ${n}`)).content),
    );
    const broken = texts.filter((content) => JSON.stringify(content).includes('{\\"sco"')).length;
    expect(broken).toBe(provider.counts()[0]?.malformed);
    expect(broken).toBeGreaterThan(40);
    expect(broken).toBeLessThan(80);
  });

  test('does not answer a request that is scripted to time out', async () => {
    const { provider } = await start([{ name: 'all', timeoutRate: 1 }]);
    const timeout = 100;
    const client = new Anthropic({ apiKey: 'key', baseURL: provider.url, maxRetries: 0, timeout });
    // On a busy machine a client may give up before it is connected: such a request never arrives.
    for (let asked = 0; provider.counts()[0]?.timeouts === 0 && asked < 20; asked += 1) {
      await expect(ask(client.withOptions({ timeout: timeout * (asked + 1) }), 'hello')).rejects.toBeInstanceOf(
        Anthropic.APIConnectionTimeoutError,
      );
    }
    const [counts] = provider.counts();
    expect(counts?.timeouts).toBeGreaterThan(0);
    expect(counts).toMatchObject({ requests: counts?.timeouts, answers: 0, errors: 0 });
  });

  test('answers depend on the seed and the content, not on the order', async () => {
    const rules: readonly ProviderRule[] = [
      { name: 'all', answer: { latencyMs: 0 }, errors: [{ status: 500, rate: 0.5 }] },
    ];
    const questions = Array.from({ length: 40 }, (_, n) => `question ${n % 10}`);
    const outcomes = async (seed: number, order: readonly string[]) => {
      const { client } = await start(rules, seed);
      const byQuestion = new Map<string, boolean[]>();
      for (const question of order) {
        const failed = await ask(client, question).then(
          () => false,
          () => true,
        );
        byQuestion.set(question, [...(byQuestion.get(question) ?? []), failed]);
      }
      return [...byQuestion].sort(([a], [b]) => (a < b ? -1 : 1));
    };
    const first = await outcomes(1, questions);
    expect(await outcomes(1, [...questions].reverse())).toEqual(first);
    expect(await outcomes(2, questions)).not.toEqual(first);
  });

  test('accepts the key as x-api-key and as bearer token', async () => {
    const { provider } = await start([{ name: 'all' }]);
    const body = JSON.stringify({ model: MODEL, max_tokens: 5, messages: [{ role: 'user', content: 'x' }] });
    const keys: Record<string, string>[] = [{ 'x-api-key': 'k' }, { authorization: 'Bearer k' }];
    for (const headers of keys) {
      const response = await fetch(`${provider.url}/v1/messages`, { method: 'POST', headers, body });
      expect(response.status).toBe(200);
    }
  });

  test('rejects a request without a key', async () => {
    const { provider } = await start([{ name: 'all' }]);
    const response = await fetch(`${provider.url}/v1/messages`, { method: 'POST', body: '{}' });
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ error: { type: 'authentication_error' } });
  });

  test('rejects a request without a matching rule, and says what to add', async () => {
    const { client, provider } = await start([{ name: 'never', match: { model: 'claude-haiku' } }]);
    await expect(ask(client, 'hello')).rejects.toThrow(
      `matches this request for model ${MODEL}: add one to provider.rules`,
    );
    expect(provider.unmatched()).toBe(1);
  });

  test('rejects streaming, an unknown path and a body that is not JSON', async () => {
    const { client, provider } = await start([{ name: 'all' }]);
    await expect(
      client.messages.create({ model: MODEL, max_tokens: 5, stream: true, messages: [{ role: 'user', content: 'x' }] }),
    ).rejects.toThrow('answers whole messages');
    expect((await fetch(`${provider.url}/v1/models`)).status).toBe(404);
    const broken = await fetch(`${provider.url}/v1/messages`, {
      method: 'POST',
      headers: { 'x-api-key': 'k' },
      body: '{',
    });
    expect([broken.status, await broken.json()]).toEqual([
      400,
      expect.objectContaining({ error: { type: 'invalid_request_error', message: 'the body is not JSON' } }),
    ]);
  });
});
