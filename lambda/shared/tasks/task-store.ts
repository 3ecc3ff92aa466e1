import { randomUUID } from 'node:crypto';
import { type DynamoDBDocumentClient, GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import {
  DAY_SECONDS,
  FINAL_STATUSES,
  type FlagValue,
  type Json,
  type LaneName,
  type PayloadRef,
  type TaskError,
  TaskKey,
  type TaskRecord,
  type TaskStatus,
  taskRecordSchema,
  type Usage,
} from '../../../lib/contract';
import { isConditionFailure } from '../aws/aws-errors';
import type { Clock } from '../clock';

export interface TaskStoreOptions {
  readonly client: DynamoDBDocumentClient;
  readonly table: string;
  readonly release: string;
  /** Days that a finished task is kept. */
  readonly retentionDays: number;
  /** Milliseconds that a lease lasts. */
  readonly leaseMs: number;
  readonly clock: Clock;
}

export interface Lease {
  readonly taskId: string;
  readonly token: string;
  /**
   * Claims of the task up to this one. A claim that the network kept may be carried out once more when its worker is done:
   * nobody writes under a lease of its token then.
   */
  readonly attempt: number;
  /** By the clock of the worker that holds it. Milliseconds since 1970. */
  readonly expiresAt: number;
}

export type Claim =
  | { readonly kind: 'claimed'; readonly lease: Lease; readonly task: TaskRecord }
  /** Not this worker's: no record, finished, of another lane by now, or in the hands of another worker. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'final'; readonly task: TaskRecord }
  | { readonly kind: 'moved'; readonly task: TaskRecord }
  | { readonly kind: 'held'; readonly leaseExpiresAt: number }
  /** The record cannot be read. With a lease: claimed all the same. */
  | { readonly kind: 'unreadable'; readonly lease: Lease | undefined; readonly reason: string };

/** How a task ended. */
export interface TaskEnd {
  readonly status: Extract<TaskStatus, 'succeeded' | 'failed' | 'timed_out' | 'cancelled'>;
  /** Of all attempts. */
  readonly usage: Usage;
  /** Models that answered, with how often. */
  readonly models?: TaskRecord['models'];
  /** Milliseconds that this attempt ran. */
  readonly ranMs: number;
  readonly result?: Json;
  readonly resultRef?: PayloadRef;
  readonly error?: TaskError;
  readonly score?: number;
  readonly flags?: Readonly<Record<string, FlagValue>>;
  /** Failed after its last attempt. */
  readonly exhausted?: boolean;
}

/** How a task goes back to its queue. */
export interface Return {
  readonly usage: Usage;
  /** Models that answered, with how often. */
  readonly models?: TaskRecord['models'];
  readonly ranMs: number;
  /** The attempt does not count. */
  readonly uncounted?: boolean;
  /** It does not because a limit made the task wait. */
  readonly waited?: boolean;
  /** Lane in which the task goes on. @default the one it is in */
  readonly lane?: LaneName;
}

/** What became of a write under a lease. */
export type Written =
  | { readonly kind: 'written'; readonly task: TaskRecord | undefined }
  /** Refused: the lease is another's, or the task is final or gone. */
  | { readonly kind: 'lost'; readonly task: TaskRecord | undefined }
  /** A task that was to go back is to be cancelled instead. Nothing was written, the lease still counts. */
  | { readonly kind: 'cancelled' };

export type Renewal =
  | { readonly kind: 'renewed'; readonly lease: Lease; readonly cancelRequested: boolean }
  | { readonly kind: 'lost' };

/**
 * The worker's writes to the tasks table. Each is one conditional update: of any number of workers that work on one
 * task, at whatever times, one alone writes its end.
 *
 * The SDK repeats a call whose answer was lost, and the repetition is refused because the first had arrived. So after
 * a refusal the record is read: what it says under the own token is the own write.
 */
export class TaskStore {
  readonly #options: TaskStoreOptions;

  constructor(options: TaskStoreOptions) {
    this.#options = options;
  }

  /** Takes the task if it is queued in this lane, or if the worker that had it there is gone. */
  async claim(taskId: string, lane: LaneName, trace: string | undefined): Promise<Claim> {
    const now = this.#now();
    const taken = { token: randomUUID(), expiresAt: now + this.#options.leaseMs };
    const written = await this.#update({
      taskId,
      set: {
        status: 'running',
        release: this.#options.release,
        lease: taken,
        trace,
      },
      // As it was before this write.
      copy: { claimedFrom: 'status' },
      // The first claim's time stays, so that the time spent waiting can be told from that of further attempts.
      setOnce: { startedAt: now },
      add: { attempts: 1 },
      condition: '(#status = :queued OR (#status = :running AND #lease.#leaseExpiry < :now)) AND #lane = :lane',
      names: { '#leaseExpiry': 'expiresAt', '#lane': 'lane' },
      values: { ':queued': 'queued', ':running': 'running', ':now': now, ':lane': lane },
    });
    if (written.item === undefined) {
      return { kind: 'unknown' };
    }
    const parsed = taskRecordSchema.safeParse(written.item);
    const own = written.ok || (isRunning(written.item) && tokenOf(written.item) === taken.token);
    const lease: Lease = { taskId, ...taken, attempt: Number(written.item.attempts) };
    if (!parsed.success) {
      const reason = parsed.error.issues.map(({ path }) => path.join('.')).join(', ');
      return { kind: 'unreadable', lease: own ? lease : undefined, reason };
    }
    const task = parsed.data;
    if (own) {
      return { kind: 'claimed', lease, task };
    }
    if (FINAL_STATUSES.includes(task.status)) {
      return { kind: 'final', task };
    }
    if (task.lane !== lane) {
      return { kind: 'moved', task };
    }
    return { kind: 'held', leaseExpiresAt: task.status === 'running' ? (task.lease?.expiresAt ?? now) : now };
  }

  /**
   * Makes the lease last longer, from now on. It may have run out, as long as nobody has taken the task.
   *
   * Never shorter: a renewal that the network kept may arrive after the next one, whose time the worker goes by.
   */
  async renew(lease: Lease, abortSignal?: AbortSignal): Promise<Renewal> {
    const expiresAt = this.#now() + this.#options.leaseMs;
    const under = underLease(lease);
    const { item } = await this.#update(
      {
        taskId: lease.taskId,
        set: { lease: { token: lease.token, expiresAt } },
        condition: `${under.condition} AND #lease.#leaseExpiry <= :expiresAt`,
        names: { ...under.names, '#leaseExpiry': 'expiresAt' },
        values: { ...under.values, ':expiresAt': expiresAt },
      },
      abortSignal,
    );
    const held = item !== undefined && isRunning(item) && isUnder(item, lease) ? leaseOf(item) : undefined;
    return held !== undefined
      ? {
          kind: 'renewed',
          lease: { ...lease, expiresAt: held.expiresAt },
          cancelRequested: item?.cancelRequestedAt !== undefined,
        }
      : { kind: 'lost' };
  }

  /** Writes the end of a task, under the lease. */
  async finish(lease: Lease, end: TaskEnd): Promise<Written> {
    const now = this.#now();
    const { status, usage, models, ranMs, result, resultRef, error, score, flags = {}, exhausted } = end;
    const written = await this.#update({
      taskId: lease.taskId,
      set: {
        status,
        finishedAt: now,
        endedBy: lease.token,
        usage,
        ...someModels(models),
        expiresAt: Math.ceil(now / 1000) + this.#options.retentionDays * DAY_SECONDS,
        ...(result === undefined ? {} : { result }),
        ...(resultRef === undefined ? {} : { resultRef }),
        ...(error === undefined ? {} : { error }),
        ...(score === undefined ? {} : { score }),
        ...(Object.keys(flags).length === 0 ? {} : { flags }),
        ...(exhausted === true ? { exhausted } : {}),
      },
      add: { ranMs },
      remove: ['lease'],
      ...underLease(lease),
    });
    return outcomeOf(written, written.item?.endedBy === lease.token);
  }

  /**
   * Hands the task back, so that the next attempt can claim it at once. The lease stays in the record, run out: it says
   * whose write this was. A task that is to be cancelled is not handed back.
   */
  async requeue(lease: Lease, { usage, models, ranMs, uncounted, waited, lane }: Return): Promise<Written> {
    const under = underLease(lease);
    const written = await this.#update({
      taskId: lease.taskId,
      set: {
        status: 'queued',
        usage,
        ...someModels(models),
        lease: { token: lease.token, expiresAt: this.#now() },
        ...(lane === undefined ? {} : { lane }),
      },
      add: { ranMs, ...(uncounted === true ? { uncounted: 1 } : {}), ...(waited === true ? { waits: 1 } : {}) },
      ...under,
      condition: `${under.condition} AND attribute_not_exists(#cancel)`,
      names: { ...under.names, '#cancel': 'cancelRequestedAt' },
    });
    const own = written.item !== undefined && isUnder(written.item, lease);
    if (!written.ok && own && written.item !== undefined && isRunning(written.item)) {
      return { kind: 'cancelled' };
    }
    return outcomeOf(written, own && written.item?.status === 'queued');
  }

  #now(): number {
    return Math.floor(this.#options.clock.now());
  }

  async #update(
    change: Change,
    abortSignal?: AbortSignal,
  ): Promise<{ readonly ok: boolean; readonly item: Item | undefined }> {
    const { taskId, set, copy = {}, setOnce = {}, add = {}, remove = [], condition } = change;
    const names: Record<string, string> = { '#status': 'status', '#lease': 'lease', ...change.names };
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
      // The document client drops undefined values: an expression that names one would be invalid.
      ...Object.entries(set).flatMap(([key, content]) =>
        content === undefined ? [] : [`${name(key)} = ${value(key, content)}`],
      ),
      ...Object.entries(copy).map(([key, from]) => `${name(key)} = ${name(from)}`),
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
        abortSignal === undefined ? {} : { abortSignal },
      );
      return { ok: true, item: Attributes };
    } catch (error) {
      if (isConditionFailure(error)) {
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
  /** Attribute → the one whose value before the update it gets. */
  readonly copy?: Readonly<Record<string, string>>;
  readonly setOnce?: Readonly<Record<string, unknown>>;
  readonly add?: Readonly<Record<string, number>>;
  readonly remove?: readonly string[];
  readonly condition: string;
  readonly names?: Readonly<Record<string, string>>;
  readonly values: Readonly<Record<string, unknown>>;
}

/** What every write under a lease asks for. */
function underLease(lease: Lease) {
  return {
    condition: '#status = :running AND #lease.#token = :token AND #attempts = :attempt',
    names: { '#token': 'token', '#attempts': 'attempts' },
    values: { ':running': 'running', ':token': lease.token, ':attempt': lease.attempt },
  };
}

function outcomeOf(written: { readonly ok: boolean; readonly item: Item | undefined }, own: boolean): Written {
  const parsed = taskRecordSchema.safeParse(written.item);
  return { kind: written.ok || own ? 'written' : 'lost', task: parsed.success ? parsed.data : undefined };
}

/** A task that asked no model has none in its record. */
function someModels(models: TaskRecord['models']): { readonly models?: TaskRecord['models'] } {
  return models === undefined || Object.keys(models).length === 0 ? {} : { models };
}

function isRunning(item: Item): boolean {
  return item.status === 'running';
}

/** Whether the lease was the last that the item was held under. */
function isUnder(item: Item, { token, attempt }: Lease): boolean {
  return tokenOf(item) === token && item.attempts === attempt;
}

function leaseOf(item: Item): TaskRecord['lease'] {
  const parsed = taskRecordSchema.shape.lease.safeParse(item.lease);
  return parsed.success ? parsed.data : undefined;
}

function tokenOf(item: Item): string | undefined {
  return leaseOf(item)?.token;
}
