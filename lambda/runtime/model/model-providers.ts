import type { ModelProviderName } from '../../../lib/contract';
import type { ModelProvider } from './provider';

export type ModelProviders = Readonly<Record<ModelProviderName, ModelProvider>>;

/**
 * The providers of one environment. The module of each, its client included, is loaded at its first call: a worker's asset
 * carries the modules of its release's chain only (see `PROVIDER_FILES` in lib/worker/worker-core.ts).
 */
export function modelProviders(): ModelProviders {
  const openai = loadedOnDemand(() => (require('./openai') as typeof import('./openai')).openAiProvider);
  return {
    anthropic: loadedOnDemand(() => (require('./anthropic') as typeof import('./anthropic')).anthropicProvider),
    openai,
    openai_compatible: openai,
    bedrock: loadedOnDemand(() => new (require('./bedrock') as typeof import('./bedrock')).BedrockProvider()),
  };
}

function loadedOnDemand(load: () => ModelProvider): ModelProvider {
  let provider: ModelProvider | undefined;
  return {
    generate: async (request) => {
      provider ??= load();
      return provider.generate(request);
    },
  };
}
