export * from './agent-worker';
export * from './fargate';
export * from './lambda-worker';
export * from './lambda-worker-props';
export * from './lane-attachment';
export * from './transcripts';
export * from './worker';
export * from './worker-context';
