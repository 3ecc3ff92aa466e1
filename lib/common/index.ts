export * from './acknowledge';
export * from './bundled-function';
export * from './errors';
export * from './execution-role';
export * from './package-root';
export * from './stage-file';
