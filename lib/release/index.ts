export * from './behavior';
export * from './model-options';
export * from './model-policy';
export * from './model-spec';
export * from './provenance';
export * from './release';
export * from './task-limits';
export * from './worker-description';
