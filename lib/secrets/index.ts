export * from './key-test';
export * from './rotating-secret';
export {
  type KeyPoolOptions,
  type OpenAiServiceAccountOptions,
  Rotation,
  type RotationConfig,
  type RotationContext,
} from './rotation';
