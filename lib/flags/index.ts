export * from './capability-flag';
export * from './flag-deployment-strategy';
export * from './flags';
