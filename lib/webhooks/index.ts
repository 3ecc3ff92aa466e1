export * from './webhook-delivery';
export * from './webhook-options';
export * from './webhooks';
