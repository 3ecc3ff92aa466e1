export * from './lane';
export * from './lane-name';
export * from './lane-queues';
