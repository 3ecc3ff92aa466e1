export * from './behavior';
export * from './model';
export * from './model-policy';
export * from './model-props';
export * from './provenance';
export * from './release';
export * from './task-limits';
export * from './worker-description';
