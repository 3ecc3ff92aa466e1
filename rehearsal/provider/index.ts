export { type AdminCallFault, ScriptedOpenAiAdmin } from './openai-admin';
export { type ProviderRule, providerRuleSchema } from './rules';
export type { RuleCount } from './script';
export { type ProviderKeys, type ProviderOptions, ScriptedProvider } from './server';
