import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { errorName } from '../../shared/aws/aws-errors';
import type { Clock } from '../../shared/clock';
import { SigningKeyError, signingKeyOf } from './signature';

/** Age at which the keys are read again, in milliseconds of the cloud's time. */
export const KEYS_MAX_AGE_MS = 5 * 60_000;

/**
 * The keys that sign: the current one, and the one before it for as long as the secret keeps it. So a receiver may change
 * to the new key at any time after a rotation.
 */
export class SigningKeys {
  readonly #client: SecretsManagerClient;
  readonly #secret: string;
  readonly #clock: Clock;
  #cached: { readonly keys: Promise<readonly Buffer[]>; readonly readAt: number } | undefined;

  constructor(client: SecretsManagerClient, secret: string, clock: Clock) {
    this.#client = client;
    this.#secret = secret;
    this.#clock = clock;
  }

  /**
   * At most {@link KEYS_MAX_AGE_MS} old.
   *
   * @throws SigningKeyError for a secret that holds no key; the service's error when it cannot be read
   */
  async current(): Promise<readonly Buffer[]> {
    const now = this.#clock.now();
    if (this.#cached !== undefined && now - this.#cached.readAt < KEYS_MAX_AGE_MS) {
      return await this.#cached.keys;
    }
    const reading = { keys: this.#read(), readAt: now };
    this.#cached = reading;
    try {
      return await reading.keys;
    } catch (error) {
      if (this.#cached === reading) {
        this.#cached = undefined;
      }
      throw error;
    }
  }

  async #read(): Promise<readonly Buffer[]> {
    const [current, previous] = await Promise.all([this.#text('AWSCURRENT'), this.#previous()]);
    if (current === undefined) {
      throw new SigningKeyError(`secret ${this.#secret} holds no text: put the signing key of webhooks into it`);
    }
    const keys = [signingKeyOf(current)];
    if (previous !== undefined && previous !== '' && previous !== current) {
      keys.push(signingKeyOf(previous));
    }
    return keys;
  }

  /** A secret that was never changed has none. */
  async #previous(): Promise<string | undefined> {
    try {
      return await this.#text('AWSPREVIOUS');
    } catch (error) {
      if (errorName(error) === 'ResourceNotFoundException') {
        return undefined;
      }
      throw error;
    }
  }

  async #text(VersionStage: string): Promise<string | undefined> {
    const { SecretString } = await this.#client.send(
      new GetSecretValueCommand({ SecretId: this.#secret, VersionStage }),
    );
    return SecretString;
  }
}
