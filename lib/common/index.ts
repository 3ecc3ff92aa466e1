export * from './acknowledge';
export * from './alarms';
export * from './bundled-function';
export * from './errors';
export * from './execution-role';
export * from './package-root';
export * from './stage-file';
export * from './values';
