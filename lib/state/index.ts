export { AgentStore, type AgentStoreAttributes, type AgentStoreProps, type IAgentStore } from './agent-store';
export { AgentStoreGrants } from './store-grants';
