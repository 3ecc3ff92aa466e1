export * from './lane';
export * from './lane-name';
