export * from './agent-environment';
export * from './environment-options';
