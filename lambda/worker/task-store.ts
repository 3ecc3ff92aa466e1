import { randomUUID } from 'node:crypto';
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { type DynamoDBDocumentClient, GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import {
  FINAL_STATUSES,
  type Json,
  type TaskError,
  TaskKey,
  type TaskRecord,
  type TaskStatus,
  taskRecordSchema,
  type Usage,
} from '../../lib/contract';
import type { Clock } from '../common/clock';

const DAY_SECONDS = 86_400;

/**
 * A lease outlives the function that holds it by so many milliseconds, and ends well before the queue hands the message
 * out again (its visibility timeout is the function's timeout and a minute).
 */
const LEASE_MARGIN_MS = 10_000;

export interface TaskStoreOptions {
  readonly client: DynamoDBDocumentClient;
  readonly table: string;
  readonly release: string;
  /** Timeout of the worker function. */
  readonly timeoutSeconds: number;
  /** Days that a finished task is kept. */
  readonly retentionDays: number;
  readonly clock: Clock;
}

export interface Lease {
  readonly taskId: string;
  readonly token: string;
}

export type Claim =
  | { readonly kind: 'claimed'; readonly lease: Lease; readonly task: TaskRecord; readonly claimedAt: number }
  /** Not this worker's: finished, unknown, or in the hands of another worker. `expired`: that worker is gone. */
  | { readonly kind: 'final'; readonly status: TaskStatus }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'held'; readonly expired: boolean }
  /** Claimed, but the record cannot be read. */
  | { readonly kind: 'unreadable'; readonly lease: Lease; readonly reason: string };

/** How a task ended. */
export interface TaskEnd {
  readonly status: Extract<TaskStatus, 'succeeded' | 'failed' | 'timed_out'>;
  readonly usage: Usage;
  readonly result?: Json;
  readonly error?: TaskError;
  readonly score?: number;
}

/** What became of a write under a lease: done, or refused because the lease is another's or the task is final. */
export type Written = { readonly kind: 'written' } | { readonly kind: 'lost'; readonly status: TaskStatus | undefined };

/**
 * The worker's writes to the tasks table. Each is one conditional update: of any number of workers that work on one
 * task, at whatever times, one alone writes its end.
 */
export class TaskStore {
  readonly #options: TaskStoreOptions;

  constructor(options: TaskStoreOptions) {
    this.#options = options;
  }

  /**
   * Takes the task if it is queued, or if the worker that had it is gone.
   *
   * @param takeOver whether a task whose lease has run out may be taken
   */
  async claim(taskId: string, trace: string | undefined, takeOver = true): Promise<Claim> {
    const { release, timeoutSeconds, clock } = this.#options;
    const now = Math.floor(clock.now());
    const lease: Lease = { taskId, token: randomUUID() };
    const written = await this.#update({
      taskId,
      set: {
        status: 'running',
        release,
        lease: { token: lease.token, expiresAt: now + timeoutSeconds * 1000 + LEASE_MARGIN_MS },
        ...(trace === undefined ? {} : { trace }),
      },
      // The first claim's time stays, so that the time spent waiting can be told from that of further attempts.
      setOnce: { startedAt: now },
      add: { attempts: 1 },
      condition: `#status = :queued${takeOver ? ' OR (#status = :running AND #lease.#leaseExpiry < :now)' : ''}`,
      names: takeOver ? { '#lease': 'lease', '#leaseExpiry': 'expiresAt' } : {},
      values: { ':queued': 'queued', ...(takeOver ? { ':running': 'running', ':now': now } : {}) },
    });
    if (written.ok) {
      const parsed = taskRecordSchema.safeParse(written.item);
      return parsed.success
        ? { kind: 'claimed', lease, task: parsed.data, claimedAt: now }
        : { kind: 'unreadable', lease, reason: parsed.error.issues.map(({ path }) => path.join('.')).join(', ') };
    }
    const found = written.item;
    if (found === undefined) {
      return { kind: 'unknown' };
    }
    const status = statusOf(found);
    if (status !== undefined && FINAL_STATUSES.includes(status)) {
      return { kind: 'final', status };
    }
    return { kind: 'held', expired: leaseExpiry(found) < now };
  }

  /** Writes the end of a task, under the lease. */
  async finish(lease: Lease, end: TaskEnd): Promise<Written> {
    const now = Math.floor(this.#options.clock.now());
    return this.#underLease(lease, {
      set: {
        status: end.status,
        finishedAt: now,
        usage: end.usage,
        expiresAt: Math.ceil(now / 1000) + this.#options.retentionDays * DAY_SECONDS,
        ...(end.result === undefined ? {} : { result: end.result }),
        ...(end.error === undefined ? {} : { error: end.error }),
        ...(end.score === undefined ? {} : { score: end.score }),
      },
      remove: ['lease'],
    });
  }

  /** Hands the task back, so that the next attempt can claim it at once. */
  async giveBack(lease: Lease, usage: Usage): Promise<Written> {
    return this.#underLease(lease, { set: { status: 'queued', usage }, remove: ['lease'] });
  }

  /**
   * Fails a task whose last worker went away without a word and whose lease has run out.
   *
   * @returns the record as it is now; undefined if the task came to life or to an end in the meantime
   */
  async failAbandoned(taskId: string, error: TaskError): Promise<TaskRecord | undefined> {
    const now = Math.floor(this.#options.clock.now());
    const written = await this.#update({
      taskId,
      set: {
        status: 'failed',
        finishedAt: now,
        error,
        expiresAt: Math.ceil(now / 1000) + this.#options.retentionDays * DAY_SECONDS,
      },
      remove: ['lease'],
      condition: '#status = :running AND #lease.#leaseExpiry < :now',
      names: { '#lease': 'lease', '#leaseExpiry': 'expiresAt' },
      values: { ':running': 'running', ':now': now },
    });
    return written.ok ? taskRecordSchema.parse(written.item) : undefined;
  }

  async #underLease(lease: Lease, change: Pick<Change, 'set' | 'remove'>): Promise<Written> {
    const written = await this.#update({
      taskId: lease.taskId,
      ...change,
      condition: '#status = :running AND #lease.#token = :token',
      names: { '#lease': 'lease', '#token': 'token' },
      values: { ':running': 'running', ':token': lease.token },
    });
    return written.ok ? { kind: 'written' } : { kind: 'lost', status: written.item && statusOf(written.item) };
  }

  async #update(change: Change): Promise<{ readonly ok: boolean; readonly item: Item | undefined }> {
    const { taskId, set, setOnce = {}, add = {}, remove = [], condition } = change;
    const names: Record<string, string> = { '#status': 'status', ...change.names };
    const values: Record<string, unknown> = { ...change.values };
    const name = (attribute: string): string => {
      names[`#${attribute}`] = attribute;
      return `#${attribute}`;
    };
    const value = (attribute: string, content: unknown): string => {
      values[`:new_${attribute}`] = content;
      return `:new_${attribute}`;
    };
    const sets = [
      ...Object.entries(set).map(([key, content]) => `${name(key)} = ${value(key, content)}`),
      ...Object.entries(setOnce).map(
        ([key, content]) => `${name(key)} = if_not_exists(${name(key)}, ${value(key, content)})`,
      ),
    ];
    const adds = Object.entries(add).map(([key, content]) => `${name(key)} ${value(key, content)}`);
    const expression = [
      `SET ${sets.join(', ')}`,
      ...(adds.length === 0 ? [] : [`ADD ${adds.join(', ')}`]),
      ...(remove.length === 0 ? [] : [`REMOVE ${remove.map(name).join(', ')}`]),
    ].join(' ');
    try {
      const { Attributes } = await this.#options.client.send(
        new UpdateCommand({
          TableName: this.#options.table,
          Key: TaskKey.task(taskId),
          UpdateExpression: expression,
          ConditionExpression: condition,
          ExpressionAttributeNames: names,
          ExpressionAttributeValues: values,
          ReturnValues: 'ALL_NEW',
        }),
      );
      return { ok: true, item: Attributes };
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) {
        return { ok: false, item: await this.#read(taskId) };
      }
      throw error;
    }
  }

  async #read(taskId: string): Promise<Item | undefined> {
    const { Item } = await this.#options.client.send(
      new GetCommand({ TableName: this.#options.table, Key: TaskKey.task(taskId), ConsistentRead: true }),
    );
    return Item;
  }
}

type Item = Record<string, unknown>;

interface Change {
  readonly taskId: string;
  readonly set: Readonly<Record<string, unknown>>;
  readonly setOnce?: Readonly<Record<string, unknown>>;
  readonly add?: Readonly<Record<string, number>>;
  readonly remove?: readonly string[];
  readonly condition: string;
  readonly names: Readonly<Record<string, string>>;
  readonly values: Readonly<Record<string, unknown>>;
}

function statusOf(item: Item): TaskStatus | undefined {
  const parsed = taskRecordSchema.shape.status.safeParse(item.status);
  return parsed.success ? parsed.data : undefined;
}

/** @default 0: a running task without a lease is nobody's */
function leaseExpiry(item: Item): number {
  const parsed = taskRecordSchema.shape.lease.safeParse(item.lease);
  return parsed.success ? (parsed.data?.expiresAt ?? 0) : 0;
}
