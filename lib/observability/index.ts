export * from './agent-dashboard';
export * from './task-metrics';
