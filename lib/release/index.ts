export * from './behavior';
export * from './model';
export * from './provenance';
export * from './release';
export * from './task-limits';
export * from './worker-description';
