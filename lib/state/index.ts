export * from './agent-store';
