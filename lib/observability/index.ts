export * from './agent-dashboard';
