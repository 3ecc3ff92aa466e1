import { RotationError } from './errors';
import type { KeySource } from './key-source';

/** The secret is rotated by a function of the user's: this one only measures. */
export const CUSTOM_KEY_SOURCE: KeySource = {
  create: () => refuse(),
  test: () => refuse(),
  checkConfiguration: () => refuse(),
  cleanUp: async () => {},
};

function refuse(): Promise<never> {
  return Promise.reject(
    new RotationError(
      'this secret is rotated by a function of your own (ApiKeyRotation.custom): this function only watches it',
    ),
  );
}
