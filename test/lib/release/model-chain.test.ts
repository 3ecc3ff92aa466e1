import { Duration, Lazy } from 'aws-cdk-lib';
import { DEFAULT_MODEL_POLICY } from '../../../lib/contract';
import { Behavior, type BehaviorOptions, ModelSpec } from '../../../lib/release';

const price = { inputPerMillion: 3, outputPerMillion: 15 };
const primary = ModelSpec.anthropic('claude-sonnet-4-6', { price });
const read = (props: Partial<BehaviorOptions>) =>
  Behavior.fromDirectory('examples/drill-agent/behavior', { model: primary, ...props });

test('keeps the chain in its order, and fills in the policy', () => {
  const fallbacks = [
    ModelSpec.bedrock('amazon.nova-pro-v1:0', { price }),
    ModelSpec.bedrock('amazon.nova-pro-v1:0', { price, region: 'us-west-2' }),
  ];
  const behavior = read({ fallbacks, modelPolicy: { attempts: 1, breakerOpen: Duration.minutes(2) } });
  expect(behavior.fallbacks).toEqual(fallbacks);
  expect(behavior._modelPolicy).toEqual({ ...DEFAULT_MODEL_POLICY, attempts: 1, breakerOpenMs: 120_000 });
});

test('refuses a model that comes earlier in the chain', () => {
  expect(() => read({ fallbacks: [ModelSpec.anthropic('claude-sonnet-4-6', { price, maxTokens: 5 })] })).toThrow(
    /^DuplicateModel: fallbacks name anthropic claude-sonnet-4-6, which is earlier in the chain/,
  );
});

test('refuses more than four fallbacks', () => {
  const fallbacks = ['a', 'b', 'c', 'd', 'e'].map((name) => ModelSpec.bedrock(`amazon.${name}-v1:0`, { price }));
  expect(() => read({ fallbacks })).toThrow(/^TooManyFallbacks: fallbacks must have at most 4 models, got 5/);
});

test.each([
  [{ attempts: 0 }, 'attempts'],
  [{ attempts: 6 }, 'attempts'],
  [{ breakerFailures: 0 }, 'breakerFailures'],
  [{ breakerOpen: Duration.millis(0) }, 'breakerOpenMs'],
])('refuses the policy %j', (modelPolicy, path) => {
  expect(() => read({ modelPolicy })).toThrow(new RegExp(`^InvalidModelPolicy: modelPolicy .* ${path}: `));
});

test('refuses a policy with a token', () => {
  const attempts = Lazy.number({ produce: () => 1 });
  expect(() => read({ modelPolicy: { attempts } })).toThrow(/^UnresolvedModelPolicy/);
});
