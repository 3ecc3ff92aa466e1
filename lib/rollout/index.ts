export * from './code-deploy-rollout';
export { Evidence, type EvidenceConfig, type EvidenceOptions } from './evidence';
export * from './rollout';
export * from './rollout-options';
export * from './traffic-shift';
