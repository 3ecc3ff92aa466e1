import { RuntimeErrorCode } from '../../lib/contract';
import { clientDefaults } from '../shared/aws/clients/defaults';
import type { Clock } from '../shared/clock';
import { messageOf } from '../shared/errors';
import { FatalError, RetryableError } from './errors';

/** Maximum age of a cached secret in milliseconds of the cloud's time: a rotation takes effect without a deployment. */
export const SECRET_MAX_AGE_MS = 5 * 60_000;

/** Maximum random reduction of that age: environments that started together must not all read at once. */
const JITTER = 0.2;

/** How long an accepted previous value is used instead of the rejected current one, in milliseconds. */
const PREFER_PREVIOUS_MS = 30_000;

/** Shorter values are not redacted: they occur by chance in unrelated text. In characters. */
const MIN_REDACTED_LENGTH = 8;

/** Errors of Secrets Manager that are not retryable. */
const LASTING_ERRORS: ReadonlySet<string> = new Set([
  'AccessDeniedException',
  'ResourceNotFoundException',
  'InvalidParameterException',
  'DecryptionFailure',
]);

/** https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html#term_version */
export type SecretStage = 'AWSCURRENT' | 'AWSPREVIOUS';

/** Reads the text of a secret by ARN. */
export type FetchSecret = (arn: string, stage: SecretStage) => Promise<string | undefined>;

export interface SecretReaderOptions {
  readonly fetch?: FetchSecret;
  /** From 0 up to 1. @default Math.random */
  readonly random?: () => number;
}

interface Cached {
  readonly value: Promise<string>;
  /** When it must be read again. */
  readonly until: number;
}

/** Reads and caches the secrets of one execution environment, by the agent's names for them. Values are never logged. */
export class SecretReader {
  readonly #arns: Readonly<Record<string, string>>;
  readonly #clock: Clock;
  readonly #fetch: FetchSecret;
  readonly #random: () => number;
  readonly #cache = new Map<string, Cached>();
  readonly #readValues = new Set<string>();

  constructor(
    arns: Readonly<Record<string, string>>,
    clock: Clock,
    { fetch = fetchFromSecretsManager, random = Math.random }: SecretReaderOptions = {},
  ) {
    this.#arns = arns;
    this.#clock = clock;
    this.#fetch = fetch;
    this.#random = random;
  }

  get names(): readonly string[] {
    return Object.keys(this.#arns);
  }

  /**
   * Value of the secret, at most {@link SECRET_MAX_AGE_MS} old, or older while Secrets Manager is unavailable.
   *
   * @throws FatalError for a name that the service does not have, or a secret that this worker cannot read
   * @throws RetryableError when Secrets Manager is unavailable and no value is cached
   */
  async get(name: string): Promise<string> {
    const cached = this.#cache.get(name);
    if (cached !== undefined && this.#clock.now() < cached.until) {
      return cached.value;
    }
    try {
      return await this.#refresh(name);
    } catch (error) {
      if (error instanceof RetryableError && cached !== undefined) {
        return cached.value;
      }
      throw error;
    }
  }

  /**
   * The current value, for a caller whose value was rejected: the cached one if it differs, else read again.
   *
   * @throws as {@link get}
   */
  async refreshIfRejected(name: string, rejected: string): Promise<string> {
    const cached = await this.#cache.get(name)?.value.catch(() => undefined);
    return cached !== undefined && cached !== rejected ? cached : this.#refresh(name);
  }

  /**
   * A value other than the rejected one: the current version or the previous one. The rejected value if there is no other.
   *
   * @throws as {@link get}
   */
  async alternativeTo(name: string, rejected: string): Promise<string> {
    const current = await this.refreshIfRejected(name, rejected);
    if (current !== rejected) {
      return current;
    }
    const previous = await this.previous(name);
    // A rotation ended between the two reads: the former current version is the previous one now.
    return previous === rejected ? this.refreshIfRejected(name, rejected) : (previous ?? current);
  }

  /** The previous version; undefined if there is none or it cannot be read. */
  async previous(name: string): Promise<string | undefined> {
    try {
      return await this.#read(name, this.#arnOf(name), 'AWSPREVIOUS');
    } catch {
      return undefined;
    }
  }

  /** Makes {@link get} return the value for a short time: it was accepted where the current one was rejected. */
  preferValue(name: string, value: string): void {
    const current = this.#cache.get(name);
    const until = Math.min(current?.until ?? Number.POSITIVE_INFINITY, this.#clock.now() + PREFER_PREVIOUS_MS);
    current?.value.then(
      (known) => {
        if (known !== value && this.#cache.get(name) === current) {
          this.#cache.set(name, { value: Promise.resolve(value), until });
        }
      },
      () => {},
    );
  }

  /** Redacts every secret value that this environment has read. */
  redact(text: string): string {
    let redacted = text;
    for (const value of this.#readValues) {
      redacted = redacted.replaceAll(value, '***');
    }
    return redacted;
  }

  /** Reads the secret again, whatever the age of the cached value. */
  async #refresh(name: string): Promise<string> {
    const arn = this.#arnOf(name);
    const before = this.#cache.get(name);
    const maxAgeMs = SECRET_MAX_AGE_MS * (1 - JITTER * this.#random());
    const entry: Cached = { value: this.#read(name, arn, 'AWSCURRENT'), until: this.#clock.now() + maxAgeMs };
    this.#cache.set(name, entry);
    // Failures are not cached: the next caller reads again or uses the value before.
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

  #arnOf(name: string): string {
    const arn = Object.hasOwn(this.#arns, name) ? this.#arns[name] : undefined;
    if (arn === undefined) {
      const known = this.names.map((each) => `"${each}"`).join(', ') || 'none';
      throw new FatalError(`the service has no secret "${name}"; it has ${known}`, {
        code: RuntimeErrorCode.SECRET_UNKNOWN,
      });
    }
    return arn;
  }

  async #read(name: string, arn: string, stage: SecretStage): Promise<string> {
    let value: string | undefined;
    try {
      value = await this.#fetch(arn, stage);
    } catch (error) {
      const message = `secret "${name}" could not be read: ${messageOf(error)}`;
      throw error instanceof Error && LASTING_ERRORS.has(error.name)
        ? new FatalError(message, { code: RuntimeErrorCode.SECRET_UNREADABLE, cause: error })
        : new RetryableError(message, { code: RuntimeErrorCode.SECRET_UNAVAILABLE, cause: error });
    }
    if (value === undefined || value === '') {
      throw new FatalError(`secret "${name}" holds no text: put a value into it`, {
        code: RuntimeErrorCode.SECRET_UNREADABLE,
      });
    }
    if (value.length >= MIN_REDACTED_LENGTH) {
      this.#readValues.add(value);
    }
    return value;
  }
}

async function fetchFromSecretsManager(arn: string, stage: SecretStage): Promise<string | undefined> {
  // Loaded at the first read: not every agent has secrets.
  const { GetSecretValueCommand, SecretsManagerClient } = await import('@aws-sdk/client-secrets-manager');
  const client = new SecretsManagerClient(clientDefaults());
  try {
    const { SecretString } = await client.send(
      new GetSecretValueCommand({ SecretId: arn, ...(stage === 'AWSCURRENT' ? {} : { VersionStage: stage }) }),
    );
    return SecretString;
  } finally {
    client.destroy();
  }
}
