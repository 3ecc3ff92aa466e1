export * from './task-metrics';
