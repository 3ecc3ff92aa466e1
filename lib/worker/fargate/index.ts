export {
  AgentImage,
  type AgentImageAssetOptions,
  type AgentImageDigestOptions,
} from './agent-image';
export * from './capacity';
export { FargateWorker, type FargateWorkerProps } from './fargate-worker';
export * from './fargate-worker-options';
export { FargateNetwork, type FargateVpcOptions, type IsolatedNetworkOptions } from './network';
