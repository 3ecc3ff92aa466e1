import { randomUUID } from 'node:crypto';
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import {
  DAY_SECONDS,
  FINAL_STATUSES,
  type FlagValue,
  type Json,
  type LaneName,
  type PayloadRef,
  type TaskError,
  TaskErrorCode,
  type TaskRecord,
  type TaskStatus,
  taskRecordSchema,
  type Usage,
  usageSchema,
} from '../../../lib/contract';
import { errorName } from '../aws/aws-errors';
import type { Clock } from '../clock';
import { describeIssues, parseTask, type TaskChange, type TaskItem, TaskItems, TaskUnreadableError } from './task-item';

export interface TaskLeasesOptions {
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
   * Number of the claim. The network may delay a claim and deliver it once more when its worker is done: no worker writes
   * under a lease of that token then.
   */
  readonly attempt: number;
  /** By the clock of the worker that holds it. Milliseconds since 1970. */
  readonly expiresAt: number;
}

export type Claim =
  | { readonly kind: 'claimed'; readonly lease: Lease; readonly task: TaskRecord }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'final'; readonly task: TaskRecord }
  /** The task is in another lane by now. */
  | { readonly kind: 'moved'; readonly task: TaskRecord }
  /** Another worker holds the task. */
  | { readonly kind: 'held'; readonly leaseExpiresAt: number }
  | UnreadableClaim;

/** The record does not fit the schema. */
export interface UnreadableClaim {
  readonly kind: 'unreadable';
  readonly error: TaskUnreadableError;
  /** Present if the claim was written all the same. */
  readonly lease: Lease | undefined;
  /** Present if another worker holds the task. */
  readonly heldUntil: number | undefined;
}

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

/** How a task returns to its queue. */
export interface TaskRequeue {
  readonly usage: Usage;
  /** Models that answered, with how often. */
  readonly models?: TaskRecord['models'];
  readonly ranMs: number;
  /** The attempt does not count. */
  readonly uncounted?: boolean;
  /** The attempt does not count because a limit made the task wait. */
  readonly waited?: boolean;
  /** Lane in which the task continues. @default the lane it is in */
  readonly lane?: LaneName;
}

/** Result of a write under a lease. */
export type LeasedWrite =
  /** `task` is undefined if its record is unreadable. */
  | { readonly kind: 'written'; readonly task: TaskRecord | undefined }
  /** Refused: another worker holds the lease, or the task is final or gone. */
  | { readonly kind: 'lost'; readonly task: TaskRecord | undefined }
  /** The task has to be cancelled instead of requeued. Nothing was written, the lease is still valid. */
  | { readonly kind: 'cancelled' };

export type Renewal =
  | { readonly kind: 'renewed'; readonly lease: Lease; readonly cancelRequested: boolean }
  | { readonly kind: 'lost' };

type LeasedUpdate = { readonly ok: boolean; readonly item: TaskItem | undefined };

/**
 * The worker's transitions of a task; see {@link TASK_TRANSITIONS}. Each is one conditional update: of any number of
 * workers that process one task, at whatever times, exactly one writes its end.
 *
 * The SDK repeats a call whose response was lost, and the repetition is refused because the first call had arrived. After
 * a refusal the record is therefore read: a write under the own token is the own write.
 */
export class TaskLeases {
  readonly #options: TaskLeasesOptions;
  readonly #items: TaskItems;

  constructor(options: TaskLeasesOptions) {
    this.#options = options;
    this.#items = new TaskItems(options.client, options.table);
  }

  /** Claims the task if it is queued in this lane, or if it is running there and its lease has expired. */
  async claim(taskId: string, lane: LaneName, trace: string | undefined): Promise<Claim> {
    const now = this.#now();
    const taken = { token: randomUUID(), expiresAt: now + this.#options.leaseMs };
    const { ok, item } = await this.#claim({ taskId, lane, trace, now, lease: taken });
    if (item === undefined) {
      return { kind: 'unknown' };
    }
    const own = ok || (isRunning(item) && tokenOf(item) === taken.token);
    const lease: Lease = { taskId, ...taken, attempt: Number(item.attempts) };
    let task: TaskRecord;
    try {
      task = parseTask(taskId, item);
    } catch (error) {
      if (!(error instanceof TaskUnreadableError)) {
        throw error;
      }
      const held = !own && isRunning(item) ? leaseOf(item)?.expiresAt : undefined;
      return {
        kind: 'unreadable',
        error,
        lease: own ? lease : undefined,
        heldUntil: held !== undefined && held >= now ? held : undefined,
      };
    }
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

  async #claim({
    taskId,
    lane,
    trace,
    now,
    lease,
  }: {
    readonly taskId: string;
    readonly lane: LaneName;
    readonly trace: string | undefined;
    readonly now: number;
    readonly lease: NonNullable<TaskRecord['lease']>;
  }): Promise<LeasedUpdate> {
    try {
      return await this.#update({
        taskId,
        transition: 'claim',
        set: { status: 'running', release: this.#options.release, lease, trace },
        // The status before this write.
        copy: { claimedFrom: 'status' },
        // The time of the first claim stays: it separates the wait in the queue from further attempts.
        setOnce: { startedAt: now },
        add: { attempts: 1 },
        condition: '(#status = :queued OR (#status = :running AND #lease.#expiresAt < :now)) AND #lane = :lane',
        values: { now, lane },
      });
    } catch (error) {
      // DynamoDB refuses the update of an attribute that has the wrong type, for instance `attempts` that is a string.
      if (errorName(error) !== 'ValidationException') {
        throw error;
      }
      const item = await this.#items.read(taskId);
      if (item === undefined || taskRecordSchema.safeParse(item).success) {
        throw error;
      }
      return { ok: false, item };
    }
  }

  /**
   * Extends the lease from now on. It may have expired, as long as no other worker has claimed the task.
   *
   * It is never shortened: a renewal that the network delayed may arrive after the next one, whose time the worker uses.
   */
  async renew(lease: Lease, abortSignal?: AbortSignal): Promise<Renewal> {
    const expiresAt = this.#now() + this.#options.leaseMs;
    const under = underLease(lease);
    const { item } = await this.#update(
      {
        taskId: lease.taskId,
        transition: 'renew',
        set: { lease: { token: lease.token, expiresAt } },
        condition: `${under.condition} AND #lease.#expiresAt <= :expiresAt`,
        values: { ...under.values, expiresAt },
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

  /**
   * Writes the end of a task, under the lease. @param end see {@link recordableEnd}
   *
   * @throws TaskWriteInvalidError for an end that the schema of the record refuses
   */
  async finish(lease: Lease, end: TaskEnd): Promise<LeasedWrite> {
    const now = this.#now();
    const { status, usage, models, ranMs, result, resultRef, error, score, flags = {}, exhausted } = end;
    const written = await this.#update({
      taskId: lease.taskId,
      transition: 'finish',
      set: {
        status,
        finishedAt: now,
        endedBy: lease.token,
        usage,
        models: nonEmpty(models),
        expiresAt: Math.ceil(now / 1_000) + this.#options.retentionDays * DAY_SECONDS,
        result: result as TaskRecord['result'],
        resultRef,
        error,
        score,
        flags: nonEmpty(flags),
        exhausted: exhausted === true ? true : undefined,
      },
      add: { ranMs },
      remove: ['lease'],
      ...underLease(lease),
    });
    return resultOf(lease.taskId, written, written.item?.endedBy === lease.token);
  }

  /**
   * Returns the task to its queue, so that the next attempt can claim it at once. The lease stays in the record, expired:
   * it identifies the writer. A task whose cancellation was requested is not requeued.
   */
  async requeue(lease: Lease, { usage, models, ranMs, uncounted, waited, lane }: TaskRequeue): Promise<LeasedWrite> {
    const under = underLease(lease);
    const written = await this.#update({
      taskId: lease.taskId,
      transition: 'requeue',
      set: {
        status: 'queued',
        usage,
        models: nonEmpty(models),
        lease: { token: lease.token, expiresAt: this.#now() },
        lane,
      },
      add: { ranMs, ...(uncounted === true ? { uncounted: 1 } : {}), ...(waited === true ? { waits: 1 } : {}) },
      condition: `${under.condition} AND attribute_not_exists(#cancelRequestedAt)`,
      values: under.values,
    });
    const own = written.item !== undefined && isUnder(written.item, lease);
    if (!written.ok && own && written.item !== undefined && isRunning(written.item)) {
      return { kind: 'cancelled' };
    }
    return resultOf(lease.taskId, written, own && written.item?.status === 'queued');
  }

  #now(): number {
    return Math.floor(this.#options.clock.now());
  }

  /** @returns the item after the write; after a refusal, the item that made the condition fail */
  async #update(change: TaskChange, abortSignal?: AbortSignal): Promise<LeasedUpdate> {
    const result = await this.#items.update(change, abortSignal);
    return result.ok ? result : { ok: false, item: await this.#items.read(change.taskId) };
  }
}

/** Usage of an end whose own usage cannot be recorded. */
const NOTHING_RECORDED: Usage = { modelCalls: 0, toolCalls: 0, inputTokens: 0, outputTokens: 0, cost: 0 };

const endSchema = taskRecordSchema
  .pick({ usage: true, models: true, ranMs: true, resultRef: true, error: true, score: true, flags: true })
  .partial();

/**
 * The end as it can be recorded. Parts of an end come from the agent's code and from providers; one that the schema of
 * the record refuses would make the record unreadable, so it becomes a failure that names what is wrong.
 */
export function recordableEnd<T extends Omit<TaskEnd, 'ranMs'>>(end: T): T | TaskEndFailure {
  const parsed = endSchema.safeParse(end);
  if (parsed.success) {
    return end;
  }
  return {
    status: 'failed',
    exhausted: end.exhausted,
    usage: usageSchema.safeParse(end.usage).data ?? NOTHING_RECORDED,
    error: {
      code: TaskErrorCode.INVALID_END,
      message: `the end of the task cannot be recorded: ${describeIssues(parsed.error)}`,
    },
  };
}

export type TaskEndFailure = Pick<TaskEnd, 'usage' | 'exhausted'> & {
  readonly status: 'failed';
  readonly error: TaskError;
};

/** The condition of every write under a lease, beside the status. */
function underLease({ token, attempt }: Lease) {
  return { condition: '#lease.#token = :token AND #attempts = :attempt', values: { token, attempt } };
}

function resultOf(taskId: string, { ok, item }: LeasedUpdate, own: boolean): LeasedWrite {
  return { kind: ok || own ? 'written' : 'lost', task: readable(taskId, item) };
}

/** A write under a lease succeeds whether its record is readable or not; the next claim reports an unreadable one. */
function readable(taskId: string, item: TaskItem | undefined): TaskRecord | undefined {
  try {
    return item === undefined ? undefined : parseTask(taskId, item);
  } catch (error) {
    if (error instanceof TaskUnreadableError) {
      return undefined;
    }
    throw error;
  }
}

/** The record has no attribute for an empty map. */
function nonEmpty<T extends object>(map: T | undefined): T | undefined {
  return map === undefined || Object.keys(map).length === 0 ? undefined : map;
}

function isRunning(item: TaskItem): boolean {
  return item.status === 'running';
}

/** Whether the lease was the last that the item was held under. */
function isUnder(item: TaskItem, { token, attempt }: Lease): boolean {
  return tokenOf(item) === token && item.attempts === attempt;
}

function leaseOf(item: TaskItem): TaskRecord['lease'] {
  return taskRecordSchema.shape.lease.safeParse(item.lease).data;
}

function tokenOf(item: TaskItem): string | undefined {
  return leaseOf(item)?.token;
}
