export { AgentGrants } from './agent-grants';
export { AgentService, type AgentServiceProps } from './agent-service';
export type { AgentMetricOptions, IAgentService } from './agent-service-base';
export type { AgentServiceAttributes } from './imported-agent-service';
