export * from './agent-worker';
export * from './fargate';
export * from './lambda-worker';
export * from './lambda-worker-options';
export * from './transcripts';
export * from './worker-context';
export * from './worker-spec';
