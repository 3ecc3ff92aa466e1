// The agent: one construct, and how another stack uses it.
export {
  AgentGrants,
  type AgentMetricOptions,
  AgentService,
  type AgentServiceAttributes,
  type AgentServiceProps,
  type IAgentService,
} from './agent-service';
// Errors: of this copy of the package and of others.
export { isLaneError, LaneError } from './common/errors';
// Environments: production, staging, development.
export {
  AgentEnvironment,
  type AgentEnvironmentOptions,
  type DevelopmentEnvironmentOptions,
  type EnvironmentBehaviorOptions,
  LogLevel,
  type ProductionEnvironmentOptions,
  type StagingEnvironmentOptions,
} from './environments';
// Flags: capabilities that are on for some users.
export {
  type BooleanFlagOptions,
  CapabilityFlag,
  FlagDeploymentStrategy,
  type FlagOptions,
  Flags,
  type FlagsProps,
  type LinearFlagDeploymentOptions,
  type NumberFlagOptions,
  type TextFlagOptions,
} from './flags';
// Gates: alarms that stop a rollout.
export {
  type AlarmGateOptions,
  type CostGateOptions,
  type CustomGateOptions,
  type ErrorRateGateOptions,
  type GateOptions,
  GateSeverity,
  type LatencyGateOptions,
  type LatencyIncreaseGateOptions,
  QualityGate,
  QualityGates,
  type QualityGatesProps,
  type QualityScoreGateOptions,
  type ToolCallsGateOptions,
} from './gates';
// Intake: HTTP API and inbox.
export {
  type BacklogLimits,
  type IIntake,
  Intake,
  type IntakeAttributes,
  IntakeAuth,
  type IntakeOptions,
  type IntakeProps,
  type IntakeWebhooks,
} from './intake';
// Lanes: queues of the promoted release and of the release that is rolled out.
export { AgentLane, type ILane, type ILaneQueues, Lane, type LaneAttributes, type LaneProps } from './lanes';
// Limits: rate limits of providers, daily budgets.
export { BudgetAction, Budgets, type DailyBudgetOptions, type RateLimit } from './limits';
// Metrics of tasks, also without the construct of the agent.
export { TaskMetricSet } from './metrics';
// Redrive of tasks in dead-letter queues.
export { Redrive, type RedriveProps } from './redrive';
// Releases: behavior, models, limits of a task.
export {
  type AnthropicModelOptions,
  type BedrockModelOptions,
  Behavior,
  type BehaviorOptions,
  type IRelease,
  type ModelOptions,
  type ModelPolicy,
  type ModelPrice,
  ModelSpec,
  type OpenAiCompatibleModelOptions,
  type OpenAiModelOptions,
  type TaskLimits,
} from './release';
// Rollouts: traffic shift, evidence, rollback.
export {
  type CanaryShiftOptions,
  type CodeDeployRolloutOptions,
  Evidence,
  type EvidenceOptions,
  InFlightTaskPolicy,
  type LinearShiftOptions,
  Rollout,
  type RolloutConfig,
  TrafficShift,
} from './rollout';
// Secrets: rotation of API keys.
export {
  ApiKeyCheck,
  type ApiKeyCheckOptions,
  ApiKeyRotation,
  type KeyPoolOptions,
  type OpenAiServiceAccountOptions,
  RotatingSecret,
  type RotatingSecretProps,
} from './secrets';
// State: tables and bucket.
export {
  AgentStore,
  type AgentStoreAttributes,
  AgentStoreGrants,
  type AgentStoreProps,
  type IAgentStore,
} from './state';
// Webhooks: callers are notified when their tasks have finished.
export {
  type SignedWebhooksOptions,
  type WebhookContext,
  WebhookDelivery,
  type WebhookDeliveryProps,
  type WebhookSenderOptions,
  Webhooks,
} from './webhooks';
// Workers on Lambda and Fargate.
export {
  AgentImage,
  type AgentImageAssetOptions,
  type AgentImageDigestOptions,
  FargateCapacity,
  type FargateMixOptions,
  FargateNetwork,
  type FargateScaling,
  type FargateVpcOptions,
  type FargateWorkerOptions,
  type IAgentWorker,
  type IsolatedNetworkOptions,
  type LambdaWorkerOptions,
  type PriorityShares,
  Transcripts,
  type TranscriptsOptions,
  WorkerSpec,
} from './worker';
