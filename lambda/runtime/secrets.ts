import { clientDefaults } from '../common/clients/defaults';
import type { Clock } from '../common/clock';
import { FatalError, messageOf, RetryableError } from './errors';

/** Age at which a secret is read again, in milliseconds of the cloud's time: a rotation is seen without a redeploy. */
export const SECRET_MAX_AGE_MS = 5 * 60_000;

/** Shorter texts are not blacked out: they would tear holes into messages that have nothing to do with the secret. */
const SHORTEST_REDACTED = 8;

/** Errors of Secrets Manager that no repetition overcomes. */
const LASTING_ERRORS: ReadonlySet<string> = new Set([
  'AccessDeniedException',
  'ResourceNotFoundException',
  'InvalidParameterException',
  'DecryptionFailure',
]);

/** Reads the text of a secret by ARN. */
export type FetchSecret = (arn: string) => Promise<string | undefined>;

interface Cached {
  readonly value: Promise<string>;
  readonly readAt: number;
}

/** Secrets of one environment, by the names that the agent knows. Values are never logged. */
export class SecretReader {
  readonly #arns: Readonly<Record<string, string>>;
  readonly #clock: Clock;
  readonly #fetch: FetchSecret;
  readonly #cache = new Map<string, Cached>();
  readonly #known = new Set<string>();

  constructor(arns: Readonly<Record<string, string>>, clock: Clock, fetch: FetchSecret = fetchFromSecretsManager) {
    this.#arns = arns;
    this.#clock = clock;
    this.#fetch = fetch;
  }

  get names(): readonly string[] {
    return Object.keys(this.#arns);
  }

  /**
   * Value of the secret, at most {@link SECRET_MAX_AGE_MS} old; older only while Secrets Manager cannot be reached.
   *
   * @throws FatalError for a name that the service was not given, or a secret that this worker cannot read
   * @throws RetryableError when Secrets Manager cannot be reached and the secret was never read
   */
  async get(name: string): Promise<string> {
    const cached = this.#cache.get(name);
    if (cached !== undefined && this.#clock.now() - cached.readAt < SECRET_MAX_AGE_MS) {
      return cached.value;
    }
    try {
      return await this.refresh(name);
    } catch (error) {
      if (error instanceof RetryableError && cached !== undefined) {
        return cached.value;
      }
      throw error;
    }
  }

  /** Reads the secret again whatever its age. @throws as {@link get} */
  refresh(name: string): Promise<string> {
    const arn = Object.hasOwn(this.#arns, name) ? this.#arns[name] : undefined;
    if (arn === undefined) {
      const known = this.names.map((each) => `"${each}"`).join(', ') || 'none';
      return Promise.reject(
        new FatalError(`the worker was given no secret "${name}"; it has ${known}`, { code: 'secret_unknown' }),
      );
    }
    const before = this.#cache.get(name);
    const entry: Cached = { value: this.#read(name, arn), readAt: this.#clock.now() };
    this.#cache.set(name, entry);
    // A failure is not kept: the next caller asks again, or falls back on the value that was known before.
    entry.value.catch(() => {
      if (this.#cache.get(name) === entry) {
        if (before === undefined) {
          this.#cache.delete(name);
        } else {
          this.#cache.set(name, before);
        }
      }
    });
    return entry.value;
  }

  /** The text with every secret value that this environment has read blacked out. */
  redact(text: string): string {
    let redacted = text;
    for (const value of this.#known) {
      redacted = redacted.replaceAll(value, '***');
    }
    return redacted;
  }

  async #read(name: string, arn: string): Promise<string> {
    let value: string | undefined;
    try {
      value = await this.#fetch(arn);
    } catch (error) {
      const message = `secret "${name}" could not be read: ${messageOf(error)}`;
      throw error instanceof Error && LASTING_ERRORS.has(error.name)
        ? new FatalError(message, { code: 'secret_unreadable', cause: error })
        : new RetryableError(message, { code: 'secret_unavailable', cause: error });
    }
    if (value === undefined || value === '') {
      throw new FatalError(`secret "${name}" holds no text: put a value into it`, { code: 'secret_unreadable' });
    }
    if (value.length >= SHORTEST_REDACTED) {
      this.#known.add(value);
    }
    return value;
  }
}

async function fetchFromSecretsManager(arn: string): Promise<string | undefined> {
  // Loaded at the first read: not every agent has secrets.
  const { GetSecretValueCommand, SecretsManagerClient } = await import('@aws-sdk/client-secrets-manager');
  const client = new SecretsManagerClient(clientDefaults());
  try {
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: arn }));
    return SecretString;
  } finally {
    client.destroy();
  }
}
