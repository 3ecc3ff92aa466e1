import type { ModelProviderName } from '../../../lib/contract';
import { anthropicProvider } from './anthropic';
import { BedrockProvider } from './bedrock';
import { openAiProvider } from './openai';
import type { ModelProvider } from './provider';

export type ModelProviders = Readonly<Record<ModelProviderName, ModelProvider>>;

/** The providers of one environment. What they need is loaded when they are first asked. */
export function modelProviders(): ModelProviders {
  return {
    anthropic: anthropicProvider,
    openai: openAiProvider,
    openai_compatible: openAiProvider,
    bedrock: new BedrockProvider(),
  };
}
