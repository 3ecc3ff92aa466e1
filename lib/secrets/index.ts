export * from './api-key-check';
export * from './rotating-secret';
export {
  type KeyPoolOptions,
  type OpenAiServiceAccountOptions,
  Rotation,
  type RotationConfig,
  type RotationContext,
} from './rotation';
