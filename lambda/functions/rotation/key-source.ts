import type { SecretDescription } from './secret-versions';

/** A rotation cannot continue. The message says what to do and never contains a key. */
export class RotationError extends Error {
  override readonly name = 'RotationError';
}

/** A new key for a version of the secret. */
export interface NewKey {
  readonly text: string;
  /** Staging labels that the version gets together with AWSPENDING, in the same call: they identify the key later. */
  readonly labels: readonly string[];
  /** Deletes the key, because a concurrent invocation has staged another one. */
  discard(): Promise<void>;
}

/**
 * Source of the keys of a secret. Every method can be repeated after an interruption at any point and leaves nothing behind at
 * the provider.
 */
export interface KeySource {
  /** Creates the key of a version that has no value yet. */
  create(secret: SecretDescription, version: string): Promise<NewKey>;
  /** @throws RotationError for a key that the provider rejects */
  test(key: string): Promise<void>;
  /** Checks that a rotation can start: the admin key or the pool is readable. @throws Error that names what is missing */
  checkConfiguration(): Promise<void>;
  /**
   * Runs every hour: deletes unneeded keys and emits metrics.
   * @param currentSince milliseconds since 1970; undefined: there is no current value
   */
  cleanUp(secret: SecretDescription, currentSince: number | undefined): Promise<void>;
}

/** Key source of a secret that a function of the user rotates: this function only measures its age. */
export const CUSTOM_KEY_SOURCE: KeySource = {
  create: () => reject(),
  test: () => reject(),
  checkConfiguration: () => reject(),
  cleanUp: async () => {},
};

function reject(): Promise<never> {
  return Promise.reject(
    new RotationError(
      'this secret is rotated by a function of your own (ApiKeyRotation.custom): this function only watches it',
    ),
  );
}
