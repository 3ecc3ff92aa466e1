export {
  CodeDeployRollout,
  type CodeDeployRolloutOptions,
  type CodeDeployRolloutProps,
} from './code-deploy-rollout';
export { Evidence, type EvidenceConfig, type EvidenceOptions } from './evidence';
export * from './in-flight-task-policy';
export * from './rollout';
export * from './traffic-shift';
