export * from './agent-worker';
export * from './lambda-worker';
export * from './lambda-worker-props';
export * from './lane-queues';
export * from './worker';
export * from './worker-context';
