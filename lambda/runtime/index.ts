/** The API for agent authors: `import { defineAgent } from 'cdk-agent-lanes/runtime'`. */
export type { Json } from '../../lib/contract/digest';
export type { Mode, Priority } from '../../lib/contract/lanes';
export type { Usage } from '../../lib/contract/usage';
export {
  type AgentContext,
  type AgentDefinition,
  type AgentFlags,
  type AgentLogger,
  type AgentModel,
  type AgentOptions,
  type AgentProbe,
  type AgentSession,
  type AgentTask,
  defineAgent,
  type ModelAnswer,
  type ModelRequest,
  type SecretOptions,
  type StepCall,
  type StepOptions,
  type TaskInfo,
  type ToolCall,
  type ToolOptions,
} from './agent';
export {
  AgentError,
  CancelledError,
  FatalError,
  LimitExceededError,
  RetryableError,
  type RetryOptions,
  SessionConflictError,
  ThrottledError,
  TimedOutError,
} from './errors';
export type { Schema } from './schema';
