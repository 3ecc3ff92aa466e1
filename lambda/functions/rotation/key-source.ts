import type { SecretDescription } from './secret-versions';

/** A key that was made for a version. */
export interface NewKey {
  readonly text: string;
  /** Labels that the version gets beside AWSPENDING, in the same step: what must be known of the key later. */
  readonly labels: readonly string[];
  /** Takes the key back: another invocation was faster, and staged its own. */
  discard(): Promise<void>;
}

/**
 * Where the keys of a secret come from. Every method may be called again after it was interrupted anywhere, and does not
 * pile anything up at the provider.
 */
export interface KeySource {
  /** Makes the key of a version that has no value yet. */
  create(secret: SecretDescription, version: string): Promise<NewKey>;
  /** @throws RotationError for a key that the provider does not take */
  test(key: string): Promise<void>;
  /** Whether a rotation could begin: admin key or pool can be read. @throws Error saying what is missing */
  checkConfiguration(): Promise<void>;
  /**
   * Every hour: removes what is not needed any more, and measures.
   * @param currentSince milliseconds since 1970; undefined: there is no current value
   */
  cleanUp(secret: SecretDescription, currentSince: number | undefined): Promise<void>;
}
