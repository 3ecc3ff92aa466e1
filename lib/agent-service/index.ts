export * from './agent-grants';
export * from './agent-service';
