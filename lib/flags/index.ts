export * from './flag';
export * from './flag-deployment-strategy';
export * from './flags';
