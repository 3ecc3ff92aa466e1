import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { type DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { DAY_SECONDS, type Json, RuntimeErrorCode, SessionKey, WRITE_TOKEN_ATTRIBUTE } from '../../lib/contract';
import { throwIfAborted } from '../shared/abort-signals';
import type { Clock } from '../shared/clock';
import { messageOf } from '../shared/errors';
import type { AgentSession } from './agent';
import { FatalError, RetryableError, SessionConflictError } from './errors';
import { type Schema, validate } from './schema';

/** Largest state in bytes of JSON: with its keys it must fit into a DynamoDB item of 400 KB. */
export const MAX_SESSION_BYTES = 350 * 1024;

/** Errors of DynamoDB that are not retryable. */
const LASTING_ERRORS: ReadonlySet<string> = new Set([
  'AccessDeniedException',
  'ResourceNotFoundException',
  'ValidationException',
]);

const sessionItemSchema = z.object({
  state: z.json(),
  /** Number of writes; each write is conditional on it. */
  version: z.number().int().positive(),
  /** State schema version of the release that wrote it. */
  schema: z.number().int().positive(),
  [WRITE_TOKEN_ATTRIBUTE]: z.string().optional(),
  expiresAt: z.number(),
});
type SessionItem = z.infer<typeof sessionItemSchema>;

export interface SessionStoreOptions {
  readonly client: DynamoDBDocumentClient;
  readonly table: string;
  readonly agent: string;
  /** State schema of the release. */
  readonly schema: number;
  /** Days that a session is kept after its last write. */
  readonly retentionDays: number;
  readonly clock: Clock;
}

/** Sessions of one agent in the sessions table. */
export class SessionStore {
  readonly #options: SessionStoreOptions;

  constructor(options: SessionStoreOptions) {
    this.#options = options;
  }

  async read(session: string): Promise<SessionItem | undefined> {
    const { client, table, agent } = this.#options;
    const { Item } = await client
      .send(new GetCommand({ TableName: table, Key: SessionKey.state(agent, session), ConsistentRead: true }))
      .catch((error: unknown) => {
        throw storeFailure(session, 'read', error);
      });
    if (Item === undefined) {
      return undefined;
    }
    const parsed = sessionItemSchema.safeParse(Item);
    if (!parsed.success) {
      throw new FatalError(
        `the record of session ${JSON.stringify(session)} cannot be read by this version of the library: ${z.prettifyError(parsed.error)}`,
        { code: RuntimeErrorCode.SESSION_UNREADABLE },
      );
    }
    return parsed.data;
  }

  /**
   * After a lost response the SDK repeats the write, and DynamoDB rejects the second one because the first succeeded. So after a
   * rejected write the record is read: if it has the token, it is this write or an earlier one whose response was lost.
   *
   * @param expected version that was read; 0 if there was none
   * @param token unchanged until a write succeeds
   * @returns the new version of the session
   * @throws SessionConflictError when another task wrote first
   */
  async write(session: string, state: Json, expected: number, token: string): Promise<number> {
    const { client, table, agent, schema, retentionDays, clock } = this.#options;
    const bytes = Buffer.byteLength(JSON.stringify(state));
    if (bytes > MAX_SESSION_BYTES) {
      throw new FatalError(
        `the state of a session must have at most ${MAX_SESSION_BYTES} bytes of JSON, got ${bytes}`,
        {
          code: RuntimeErrorCode.SESSION_TOO_LARGE,
        },
      );
    }
    const now = clock.now();
    const item: SessionItem = {
      state: z.json().parse(JSON.parse(JSON.stringify(state))),
      version: expected + 1,
      schema,
      [WRITE_TOKEN_ATTRIBUTE]: token,
      expiresAt: Math.ceil(now / 1000) + retentionDays * DAY_SECONDS,
    };
    try {
      await client.send(
        new PutCommand({
          TableName: table,
          Item: { ...SessionKey.state(agent, session), ...item, updatedAt: now },
          ConditionExpression: expected === 0 ? 'attribute_not_exists(#pk)' : '#version = :expected',
          ExpressionAttributeNames: expected === 0 ? { '#pk': 'pk' } : { '#version': 'version' },
          ...(expected === 0 ? {} : { ExpressionAttributeValues: { ':expected': expected } }),
        }),
      );
      return item.version;
    } catch (error) {
      if (!(error instanceof ConditionalCheckFailedException)) {
        throw storeFailure(session, 'written', error);
      }
    }
    const found = await this.read(session);
    if (found?.[WRITE_TOKEN_ATTRIBUTE] !== token) {
      throw new SessionConflictError(session);
    }
    return isDeepStrictEqual(found.state, item.state)
      ? found.version
      : await this.write(session, state, found.version, token);
  }

  /** The session for one attempt of a task. */
  open(session: string | undefined, signal: AbortSignal): AgentSession {
    return new TaskSession(this, session, this.#options, signal);
  }
}

class TaskSession implements AgentSession {
  /** Version that this attempt read or wrote last. Undefined: not read yet. */
  #version: number | undefined;
  #token = randomUUID();

  readonly #store: SessionStore;
  readonly #options: Pick<SessionStoreOptions, 'schema' | 'clock'>;
  readonly #signal: AbortSignal;

  constructor(
    store: SessionStore,
    readonly id: string | undefined,
    options: Pick<SessionStoreOptions, 'schema' | 'clock'>,
    signal: AbortSignal,
  ) {
    this.#store = store;
    this.#options = options;
    this.#signal = signal;
  }

  get(): Promise<Json | undefined>;
  get<T>(schema: Schema<T>): Promise<T | undefined>;
  async get<T>(schema?: Schema<T>): Promise<Json | T | undefined> {
    await throwIfAborted(this.#signal);
    if (this.id === undefined) {
      return undefined;
    }
    const item = await this.#store.read(this.id);
    this.#version = item?.version ?? 0;
    // DynamoDB deletes expired items within days, not at once.
    if (item === undefined || item.expiresAt * 1000 <= this.#options.clock.now()) {
      return undefined;
    }
    if (item.schema !== this.#options.schema) {
      throw new FatalError(
        `session ${JSON.stringify(this.id)} was written under state schema ${item.schema}, this release reads ${this.#options.schema}`,
        { code: RuntimeErrorCode.SESSION_SCHEMA },
      );
    }
    if (schema === undefined) {
      return item.state;
    }
    const checked = await validate(schema, item.state, 'session');
    if (!checked.ok) {
      throw new FatalError(
        `the state of session ${JSON.stringify(this.id)} does not match the schema: ${checked.message}`,
        {
          code: RuntimeErrorCode.SESSION_INVALID,
        },
      );
    }
    return checked.value;
  }

  async put(state: Json): Promise<void> {
    await throwIfAborted(this.#signal);
    if (this.id === undefined) {
      return;
    }
    if (this.#version === undefined) {
      throw new FatalError(
        'session.put() was called before session.get(): call session.get() first, so that no state is lost',
        {
          code: RuntimeErrorCode.SESSION_NOT_READ,
        },
      );
    }
    this.#version = await this.#store.write(this.id, state, this.#version, this.#token);
    this.#token = randomUUID();
  }
}

function storeFailure(session: string, what: 'read' | 'written', error: unknown): RetryableError | FatalError {
  const message = `session ${JSON.stringify(session)} could not be ${what}: ${messageOf(error)}`;
  return error instanceof Error && LASTING_ERRORS.has(error.name)
    ? new FatalError(message, { code: RuntimeErrorCode.SESSION_REFUSED, cause: error })
    : new RetryableError(message, { code: RuntimeErrorCode.SESSION_UNAVAILABLE, cause: error });
}
