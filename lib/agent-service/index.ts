export * from './agent-service';
