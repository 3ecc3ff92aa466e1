export {
  CodeDeployRollout,
  type CodeDeployRolloutConstructProps,
  type CodeDeployRolloutProps,
} from './code-deploy-rollout';
export { Evidence, type EvidenceConfig, type EvidenceOptions } from './evidence';
export * from './rollout';
export * from './running-tasks';
export * from './traffic-shift';
