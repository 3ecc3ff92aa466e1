export * from './agent-environment';
export * from './environment-options';
export * from './log-level';
