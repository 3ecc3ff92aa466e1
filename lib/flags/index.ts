export * from './flag';
export * from './flag-growth';
export * from './flags';
