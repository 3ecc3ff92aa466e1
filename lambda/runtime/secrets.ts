import { RuntimeErrorCode } from '../../lib/contract';
import { clientDefaults } from '../shared/aws/clients/defaults';
import type { Clock } from '../shared/clock';
import { messageOf } from '../shared/errors';
import { FatalError, RetryableError } from './errors';

/** Age at which a secret is read again at the latest, in milliseconds of the cloud's time: a rotation is seen without a redeploy. */
export const SECRET_MAX_AGE_MS = 5 * 60_000;

/** Share of that age by which environments and secrets differ: those that started together do not all read at once. */
const JITTER = 0.2;

/** How long a former value that was accepted in place of the current one is gone on with. */
const PREFER_PREVIOUS_MS = 30_000;

/** Shorter texts are not blacked out: they would tear holes into messages that have nothing to do with the secret. */
const MIN_REDACTED = 8;

/** Errors of Secrets Manager that no repetition overcomes. */
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
  /** When it is read again. */
  readonly until: number;
}

/** Secrets of one environment, by the names that the agent knows. Values are never logged. */
export class SecretReader {
  readonly #arns: Readonly<Record<string, string>>;
  readonly #clock: Clock;
  readonly #fetch: FetchSecret;
  readonly #random: () => number;
  readonly #cache = new Map<string, Cached>();
  readonly #known = new Set<string>();

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
   * Value of the secret, at most {@link SECRET_MAX_AGE_MS} old; older only while Secrets Manager cannot be reached.
   *
   * @throws FatalError for a name that the service was not given, or a secret that this worker cannot read
   * @throws RetryableError when Secrets Manager cannot be reached and the secret was never read
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
   * The current value, for someone whose value was not accepted: what another has read meanwhile, or read again.
   *
   * @throws as {@link get}
   */
  async refreshIfRejected(name: string, rejected: string): Promise<string> {
    const cached = await this.#cache.get(name)?.value.catch(() => undefined);
    return cached !== undefined && cached !== rejected ? cached : this.#refresh(name);
  }

  /**
   * Another value than the one that was not accepted: the current one, or the one before it. The same again if there is no
   * other.
   *
   * @throws as {@link get}
   */
  async alternativeTo(name: string, rejected: string): Promise<string> {
    const current = await this.refreshIfRejected(name, rejected);
    if (current !== rejected) {
      return current;
    }
    const previous = await this.previous(name);
    // A rotation that ended between the two reads: what was current is the one before now.
    return previous === rejected ? this.refreshIfRejected(name, rejected) : (previous ?? current);
  }

  /** The value before the last rotation; undefined when there is none, or when it cannot be read. */
  async previous(name: string): Promise<string | undefined> {
    try {
      return await this.#read(name, this.#arnOf(name), 'AWSPREVIOUS');
    } catch {
      return undefined;
    }
  }

  /** The value was accepted where the one that {@link get} gave was not: it is gone on with for a little while. */
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

  /** The text with every secret value that this environment has read blacked out. */
  redact(text: string): string {
    let redacted = text;
    for (const value of this.#known) {
      redacted = redacted.replaceAll(value, '***');
    }
    return redacted;
  }

  /** Reads the secret again whatever its age. */
  async #refresh(name: string): Promise<string> {
    const arn = this.#arnOf(name);
    const before = this.#cache.get(name);
    const maxAgeMs = SECRET_MAX_AGE_MS * (1 - JITTER * this.#random());
    const entry: Cached = { value: this.#read(name, arn, 'AWSCURRENT'), until: this.#clock.now() + maxAgeMs };
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

  #arnOf(name: string): string {
    const arn = Object.hasOwn(this.#arns, name) ? this.#arns[name] : undefined;
    if (arn === undefined) {
      const known = this.names.map((each) => `"${each}"`).join(', ') || 'none';
      throw new FatalError(`the worker was given no secret "${name}"; it has ${known}`, {
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
    if (value.length >= MIN_REDACTED) {
      this.#known.add(value);
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
