export * from './task-metric-set';
