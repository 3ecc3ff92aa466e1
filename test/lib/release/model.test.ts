import { Aws, Duration, Lazy } from 'aws-cdk-lib';
import { Model } from '../../../lib/release';

const price = { inputPerMillion: 3, outputPerMillion: 15 };

describe('Model.anthropic', () => {
  test.each([
    'claude-sonnet-4-5-20250929',
    'claude-haiku-4-5-20251001',
    'claude-opus-4-20250514',
    'claude-3-7-sonnet-20250219',
    'claude-opus-4-6',
    'claude-sonnet-4-6',
    'claude-opus-4-10',
    'claude-sonnet-5',
    'claude-opus-5-1',
  ])('takes the pinned id %s', (id) => {
    expect(Model.anthropic(id, { price })._settings).toEqual({
      provider: 'anthropic',
      id,
      secret: 'anthropic',
      maxTokens: 4096,
      timeoutMs: 60_000,
      price,
    });
  });

  test.each([
    'latest',
    'claude-latest',
    'claude-3-5-sonnet-latest',
    'claude-opus-4-6-latest',
    'claude-sonnet',
    'claude-sonnet-4',
    'claude-sonnet-4-0',
    'claude-sonnet-4-5',
    'claude-3-5-haiku',
    'claude-sonnet-4-5-20251399',
    'claude-sonnet-4-5-20230230',
    'claude-sonnet-4-5-2025',
    'claude-sonnet-4-6-fast',
    'anthropic.claude-sonnet-4-6',
    'gpt-4o',
    'Claude-Sonnet-4-6',
    '',
  ])('refuses %j, which is not pinned', (id) => {
    expect(() => Model.anthropic(id, { price })).toThrow(
      new RegExp(`^FloatingModel: model id "${id}" is not pinned: expected an id with a date`),
    );
  });

  test('keeps what it is told', () => {
    const model = Model.anthropic('claude-sonnet-4-6', {
      price,
      maxTokens: 200,
      temperature: 0,
      timeout: Duration.seconds(5),
      secretName: 'key',
    });
    expect(model._settings).toMatchObject({ maxTokens: 200, temperature: 0, timeoutMs: 5000, secret: 'key' });
    expect(model.secretName).toBe('key');
  });

  test.each([
    [{ maxTokens: 0 }, 'maxTokens'],
    [{ maxTokens: 1.5 }, 'maxTokens'],
    [{ temperature: 1.2 }, 'temperature'],
    [{ timeout: Duration.millis(0) }, 'timeoutMs'],
    [{ secretName: '' }, 'secret'],
    [{ price: { inputPerMillion: -1, outputPerMillion: 1 } }, 'price.inputPerMillion'],
    [{ price: { inputPerMillion: 1, outputPerMillion: Number.NaN } }, 'price.outputPerMillion'],
  ])('refuses %j', (props, path) => {
    expect(() => Model.anthropic('claude-sonnet-4-6', { price, ...props })).toThrow(
      new RegExp(`InvalidModel: settings of model "claude-sonnet-4-6" are not valid: ${path}: `),
    );
  });

  test('refuses tokens wherever they stand', () => {
    const number = Lazy.number({ produce: () => 1 });
    expect(() => Model.anthropic(Aws.STACK_NAME, { price })).toThrow(/UnresolvedModel: model id is a token/);
    expect(() => Model.anthropic('claude-sonnet-4-6', { price, secretName: Aws.STACK_NAME })).toThrow(
      /UnresolvedModel: secretName of model "claude-sonnet-4-6" is a token/,
    );
    expect(() => Model.anthropic('claude-sonnet-4-6', { price: { ...price, inputPerMillion: number } })).toThrow(
      /UnresolvedModel: price\.inputPerMillion of/,
    );
    expect(() => Model.anthropic('claude-sonnet-4-6', { price, maxTokens: number })).toThrow(
      /UnresolvedModel: maxTokens of/,
    );
    expect(() => Model.anthropic('claude-sonnet-4-6', { price, temperature: number })).toThrow(
      /UnresolvedModel: temperature of/,
    );
    expect(() => Model.anthropic('claude-sonnet-4-6', { price, timeout: Duration.seconds(number) })).toThrow(
      /UnresolvedModel: timeout of/,
    );
  });
});
