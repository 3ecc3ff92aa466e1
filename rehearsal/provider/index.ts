export { type ProviderRule, providerRuleSchema } from './rules';
export type { RuleCount } from './script';
export { type ProviderOptions, ScriptedProvider } from './server';
