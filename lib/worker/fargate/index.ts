export {
  AgentImage,
  type AgentImageAssetOptions,
  type AgentImageDigestOptions,
} from './agent-image';
export * from './capacity';
export { FargateWorker, type FargateWorkerBinding } from './fargate-worker';
export * from './fargate-worker-props';
export { FargateNetwork, type FargateVpcOptions, type IsolatedNetworkOptions } from './network';
