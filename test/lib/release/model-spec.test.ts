import { App, Aws, Duration, Lazy, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { ModelSpec } from '../../../lib/release';

const price = { inputPerMillion: 3, outputPerMillion: 15 };

describe('ModelSpec.anthropic', () => {
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
    expect(ModelSpec.anthropic(id, { price })._settings).toEqual({
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
    expect(() => ModelSpec.anthropic(id, { price })).toThrow(
      new RegExp(`^UnpinnedModel: model id "${id}" is not pinned: expected an id with a date`),
    );
  });

  test('keeps what it is told', () => {
    const model = ModelSpec.anthropic('claude-sonnet-4-6', {
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
    expect(() => ModelSpec.anthropic('claude-sonnet-4-6', { price, ...props })).toThrow(
      new RegExp(`InvalidModel: settings of model "claude-sonnet-4-6" are not valid: ${path}: `),
    );
  });

  test('refuses tokens wherever they stand', () => {
    const number = Lazy.number({ produce: () => 1 });
    expect(() => ModelSpec.anthropic(Aws.STACK_NAME, { price })).toThrow(/UnresolvedModel: model id is a token/);
    expect(() => ModelSpec.anthropic('claude-sonnet-4-6', { price, secretName: Aws.STACK_NAME })).toThrow(
      /UnresolvedModel: secretName of model "claude-sonnet-4-6" is a token/,
    );
    expect(() => ModelSpec.anthropic('claude-sonnet-4-6', { price: { ...price, inputPerMillion: number } })).toThrow(
      /UnresolvedModel: price\.inputPerMillion of/,
    );
    expect(() => ModelSpec.anthropic('claude-sonnet-4-6', { price, maxTokens: number })).toThrow(
      /UnresolvedModel: maxTokens of/,
    );
    expect(() => ModelSpec.anthropic('claude-sonnet-4-6', { price, temperature: number })).toThrow(
      /UnresolvedModel: temperature of/,
    );
    expect(() => ModelSpec.anthropic('claude-sonnet-4-6', { price, timeout: Duration.seconds(number) })).toThrow(
      /UnresolvedModel: timeout of/,
    );
  });
});

describe('ModelSpec.openAi', () => {
  test.each(['gpt-5-mini-2025-08-07', 'gpt-4.1-2025-04-14', 'o3-2025-04-16', 'ft:gpt-4o-2024-08-06:org::a1b2'])(
    'takes the pinned id %s',
    (id) => {
      expect(ModelSpec.openAi(id, { price })._settings).toMatchObject({ provider: 'openai', id, secret: 'openai' });
    },
  );

  test.each(['gpt-5', 'gpt-4o', 'chatgpt-4o-latest', 'gpt-5-2025-13-07', 'gpt-5-20250807', 'ft:gpt-4o:org::a1b2', ''])(
    'refuses %j, which is not pinned',
    (id) => {
      expect(() => ModelSpec.openAi(id, { price })).toThrow(`UnpinnedModel: model id "${id}" is not pinned`);
    },
  );
});

describe('ModelSpec.bedrock', () => {
  test.each([
    'amazon.nova-pro-v1:0',
    'anthropic.claude-opus-4-6-v1',
    'openai.gpt-oss-120b-1:0',
    'eu.anthropic.claude-sonnet-4-5-20250929-v1:0',
    'us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0',
    'global.anthropic.claude-opus-4-6-v1',
  ])('takes the pinned id %s, and needs no secret', (id) => {
    const model = ModelSpec.bedrock(id, { price });
    expect(model._settings).toMatchObject({ provider: 'bedrock', id });
    expect(model.secretName).toBeUndefined();
  });

  test.each([
    'amazon.nova-pro',
    'nova-pro-v1:0',
    'claude-sonnet-4-6',
    'arn:aws:bedrock:eu-west-1::foundation-model/a.b-v1:0',
  ])('refuses %j, which has no version', (id) => {
    expect(() => ModelSpec.bedrock(id, { price })).toThrow(`UnpinnedModel: model id "${id}" is not pinned`);
  });

  function policyFor(model: ModelSpec): unknown[] {
    const stack = new Stack(new App(), 'Stack', { env: { account: '123456789012', region: 'eu-west-1' } });
    model.grantInvoke(stack, new Role(stack, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') }));
    const policies = Object.values(Template.fromStack(stack).findResources('AWS::IAM::Policy'));
    return policies.flatMap(({ Properties }) => Properties.PolicyDocument.Statement);
  }

  const arn = (rest: string) => ({ 'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, `:bedrock:${rest}`]] });

  test('lets the role call this model, in its region, and nothing else', () => {
    expect(policyFor(ModelSpec.bedrock('amazon.nova-pro-v1:0', { price, region: 'eu-north-1' }))).toEqual([
      {
        Action: 'bedrock:InvokeModel',
        Effect: 'Allow',
        Resource: arn('eu-north-1::foundation-model/amazon.nova-pro-v1:0'),
      },
    ]);
  });

  test('lets the role call the model behind an inference profile through that profile alone', () => {
    const profile = arn('eu-west-1:123456789012:inference-profile/eu.amazon.nova-pro-v1:0');
    expect(policyFor(ModelSpec.bedrock('eu.amazon.nova-pro-v1:0', { price }))).toEqual([
      { Action: 'bedrock:InvokeModel', Effect: 'Allow', Resource: profile },
      {
        Action: 'bedrock:InvokeModel',
        Condition: { StringEquals: { 'bedrock:InferenceProfileArn': profile } },
        Effect: 'Allow',
        Resource: arn('*::foundation-model/amazon.nova-pro-v1:0'),
      },
    ]);
  });

  test('grants nothing for a model that is called by a key', () => {
    expect(policyFor(ModelSpec.anthropic('claude-sonnet-4-6', { price }))).toEqual([]);
  });
});

describe('ModelSpec.openAiCompatible', () => {
  const baseUrl = 'https://models.example.com/v1';

  test('takes whatever the endpoint calls its model, with a key or without', () => {
    expect(ModelSpec.openAiCompatible('qwen3-32b', { price, baseUrl })._settings).toMatchObject({
      provider: 'openai_compatible',
      baseUrl,
    });
    expect(ModelSpec.openAiCompatible('qwen3-32b', { price, baseUrl, secretName: 'own' }).secretName).toBe('own');
    expect(
      ModelSpec.openAiCompatible('qwen3-32b', { price, baseUrl: 'http://10.0.0.7/v1' }).secretName,
    ).toBeUndefined();
  });

  test('refuses to send a key in the clear', () => {
    expect(() =>
      ModelSpec.openAiCompatible('qwen3-32b', { price, baseUrl: 'http://models.example.com/v1', secretName: 'own' }),
    ).toThrow(/^InsecureModelEndpoint: baseUrl of model "qwen3-32b" is http:/);
  });

  test.each(['', 'latest', 'qwen:latest'])('refuses the id %j', (id) => {
    expect(() => ModelSpec.openAiCompatible(id, { price, baseUrl })).toThrow(/UnpinnedModel/);
  });

  test('refuses a baseUrl that is none', () => {
    expect(() => ModelSpec.openAiCompatible('qwen3-32b', { price, baseUrl: 'models' })).toThrow(
      /InvalidModel: settings of model "qwen3-32b" are not valid: baseUrl: /,
    );
  });
});
