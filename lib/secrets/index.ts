export * from './api-key-check';
export {
  ApiKeyRotation,
  type ApiKeyRotationConfig,
  type ApiKeyRotationContext,
  type KeyPoolOptions,
  type OpenAiServiceAccountOptions,
} from './api-key-rotation';
export * from './rotating-secret';
