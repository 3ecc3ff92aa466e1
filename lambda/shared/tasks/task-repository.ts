import { randomUUID } from 'node:crypto';
import {
  DeleteCommand,
  type DynamoDBDocumentClient,
  PutCommand,
  QueryCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb';
import {
  DAY_SECONDS,
  type LaneName,
  PARTITION_KEY,
  SORT_KEY,
  STEP_SORT_KEY_PREFIX,
  type TaskError,
  TaskKey,
  type TaskRecord,
  TTL_ATTRIBUTE,
  taskRecordSchema,
  WRITE_TOKEN_ATTRIBUTE,
} from '../../../lib/contract';
import { conditionally, ownWrite } from '../aws/conditional-write';
import { describeIssues, parseTask, TaskItems, TaskWriteInvalidError } from './task-item';

/** `endedBy` of a task that the status API cancelled in its queue. */
const ENDED_BY_API = 'api';

/** The end of a task that is cancelled in its queue. */
export interface QueuedCancellation {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly error: TaskError;
  /** Time to live of the record from now on: seconds since 1970. */
  readonly expiresAt: number;
}

/** A task that has ended. The time identifies the end: a redriven task ends again later. */
export type EndedTask = Pick<TaskRecord, 'id'> & { readonly finishedAt: number };

export interface RedriveOptions {
  readonly lane: LaneName;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly retentionDays: number;
}

/** Attributes of the end, and of the attempts that count: a redrive removes them. */
const REMOVED_BY_REDRIVE = [
  'error',
  'finishedAt',
  'endedBy',
  'exhausted',
  'lease',
  'ranMs',
  'result',
  'resultRef',
  'waits',
  'webhookDeliveredAt',
  'webhookAbandonedAt',
] as const;

/** The input is JSON by construction: the request that carried it was parsed and validated. */
const newTaskSchema = taskRecordSchema.omit({ input: true });

/**
 * The tasks table for everything but running a task: creation, reads, and the transitions by callers, operators and the
 * webhook function. {@link TASK_TRANSITIONS} lists the transitions; {@link TaskLeases} writes the worker's.
 */
export class TaskRepository {
  readonly #items: TaskItems;

  constructor(client: DynamoDBDocumentClient, table: string) {
    this.#items = new TaskItems(client, table);
  }

  /**
   * Writes the task unless its id is taken. An id whose record has expired counts as free: DynamoDB deletes expired items
   * only within days.
   *
   * @param token the same for repetitions after an error
   * @returns false if the id is taken
   * @throws TaskWriteInvalidError for a record that could not be read back
   */
  async create(task: TaskRecord, token: string = randomUUID()): Promise<boolean> {
    const { input: _, ...checked } = task;
    const parsed = newTaskSchema.safeParse(checked);
    if (!parsed.success) {
      throw new TaskWriteInvalidError(task.id, 'create', describeIssues(parsed.error), { cause: parsed.error });
    }
    const { client, table } = this.#items;
    const key = TaskKey.task(task.id);
    const put = new PutCommand({
      TableName: table,
      Item: { ...key, ...task, [WRITE_TOKEN_ATTRIBUTE]: token },
      ConditionExpression: 'attribute_not_exists(#pk) OR #ttl < :now',
      ExpressionAttributeNames: { '#pk': PARTITION_KEY, '#ttl': TTL_ATTRIBUTE },
      ExpressionAttributeValues: { ':now': Math.floor(task.createdAt / 1_000) },
    });
    const { ok } = await conditionally(() => client.send(put));
    return ok || (await ownWrite(client, table, key, token)) !== undefined;
  }

  /**
   * The task as it is now (consistent read); undefined if there is none.
   *
   * @throws TaskUnreadableError
   */
  async get(taskId: string): Promise<TaskRecord | undefined> {
    const item = await this.#items.read(taskId);
    return item === undefined ? undefined : parseTask(taskId, item);
  }

  /**
   * Deletes a task that no worker has claimed yet.
   *
   * @returns false if a worker has claimed it: the task stays
   */
  async discard(taskId: string): Promise<boolean> {
    const { client, table } = this.#items;
    const { ok } = await conditionally(() =>
      client.send(
        new DeleteCommand({
          TableName: table,
          Key: TaskKey.task(taskId),
          ConditionExpression: 'attribute_not_exists(#pk) OR (#status = :queued AND #attempts = :none)',
          ExpressionAttributeNames: { '#pk': PARTITION_KEY, '#status': 'status', '#attempts': 'attempts' },
          ExpressionAttributeValues: { ':queued': 'queued', ':none': 0 },
        }),
      ),
    );
    return ok;
  }

  /**
   * Ends a task that waits in its queue. Its message stays there: the worker that receives it finds the task ended.
   *
   * @returns the record as it is now; undefined if the task is not queued any more
   */
  async cancelQueued(taskId: string, { at, error, expiresAt }: QueuedCancellation): Promise<TaskRecord | undefined> {
    const token = randomUUID();
    const { client, table } = this.#items;
    const written = await this.#items.update({
      taskId,
      transition: 'cancelQueued',
      set: { status: 'cancelled', finishedAt: at, endedBy: ENDED_BY_API, error, expiresAt },
      // A requeued task still has the expired lease of its last worker.
      remove: ['lease'],
      token,
    });
    const item = written.ok ? written.item : await ownWrite(client, table, TaskKey.task(taskId), token);
    return item === undefined ? undefined : parseTask(taskId, item);
  }

  /**
   * Asks the worker that holds the task to cancel it; the worker sees the request at its next heartbeat. The time of the
   * first request stays.
   *
   * @returns false if the task is not running any more
   */
  async requestCancellation(taskId: string, now: number): Promise<boolean> {
    const { ok } = await this.#items.update({
      taskId,
      transition: 'requestCancellation',
      setOnce: { cancelRequestedAt: now },
    });
    return ok;
  }

  /** Records that the webhook of this end was delivered; no-op if the task has been redriven since. */
  async markWebhookDelivered({ id, finishedAt }: EndedTask, at: number): Promise<void> {
    await this.#items.update({
      taskId: id,
      transition: 'markWebhookDelivered',
      set: { webhookDeliveredAt: at },
      remove: ['webhookAbandonedAt'],
      condition: '#finishedAt = :finishedAt AND attribute_not_exists(#webhookDeliveredAt)',
      values: { finishedAt },
    });
  }

  /** Records that the webhook of this end was abandoned; no-op if it was delivered or the task has been redriven since. */
  async markWebhookAbandoned({ id, finishedAt }: EndedTask, at: number): Promise<void> {
    await this.#items.update({
      taskId: id,
      transition: 'markWebhookAbandoned',
      set: { webhookAbandonedAt: at },
      condition: '#finishedAt = :finishedAt AND attribute_not_exists(#webhookDeliveredAt)',
      values: { finishedAt },
    });
  }

  /**
   * Queues a task again that failed after its last attempt, with all its attempts available. `attempts` does not shrink,
   * because it fences the step journal; the attempts so far become uncounted.
   *
   * @returns false if the task has changed since it was read
   */
  async redrive(
    { id, attempts, finishedAt }: TaskRecord,
    { lane, now, retentionDays }: RedriveOptions,
  ): Promise<boolean> {
    if (finishedAt === undefined) {
      return false;
    }
    const expiresAt = expiryOf(now, retentionDays);
    await this.#extendJournal(id, expiresAt, now);
    const { ok } = await this.#items.update({
      taskId: id,
      transition: 'redrive',
      set: { status: 'queued', lane, uncounted: attempts, expiresAt },
      add: { redrives: 1 },
      remove: REMOVED_BY_REDRIVE,
      condition: '#exhausted = :true AND #finishedAt = :finishedAt AND #attempts = :attempts',
      values: { true: true, finishedAt, attempts },
    });
    return ok;
  }

  /**
   * Makes all attempts of an unfinished task available again: an outage moved its message to the dead-letter queue. A
   * task that a worker holds at this moment stays as it is.
   */
  async restoreAttempts(
    { id, attempts }: TaskRecord,
    { now, retentionDays }: Omit<RedriveOptions, 'lane'>,
  ): Promise<void> {
    const expiresAt = expiryOf(now, retentionDays);
    await this.#extendJournal(id, expiresAt, now);
    await this.#items.update({
      taskId: id,
      transition: 'restoreAttempts',
      set: { uncounted: attempts, expiresAt },
      remove: ['waits', 'ranMs'],
      condition: '#attempts = :attempts AND (#status = :queued OR (#status = :running AND #lease.#expiresAt < :now))',
      values: { attempts, now },
    });
  }

  /** Journal entries must outlive the attempts to come: otherwise their steps would run, and be paid for, again. */
  async #extendJournal(taskId: string, expiresAt: number, now: number): Promise<void> {
    const { client, table } = this.#items;
    const soon = (now / 1_000 + expiresAt) / 2;
    let from: Record<string, unknown> | undefined;
    do {
      const { Items = [], LastEvaluatedKey } = await client.send(
        new QueryCommand({
          TableName: table,
          KeyConditionExpression: '#pk = :task AND begins_with(#sk, :step)',
          ProjectionExpression: '#sk, #ttl',
          ExpressionAttributeNames: { '#pk': PARTITION_KEY, '#sk': SORT_KEY, '#ttl': TTL_ATTRIBUTE },
          ExpressionAttributeValues: { ':task': taskId, ':step': STEP_SORT_KEY_PREFIX },
          ConsistentRead: true,
          ExclusiveStartKey: from,
        }),
      );
      await Promise.all(
        Items.filter((item) => Number(item[TTL_ATTRIBUTE]) < soon).map((item) =>
          conditionally(() =>
            client.send(
              new UpdateCommand({
                TableName: table,
                Key: { [PARTITION_KEY]: taskId, [SORT_KEY]: item[SORT_KEY] },
                UpdateExpression: 'SET #ttl = :ttl',
                // An update of an entry that has expired meanwhile would create one without content.
                ConditionExpression: 'attribute_exists(#pk)',
                ExpressionAttributeNames: { '#ttl': TTL_ATTRIBUTE, '#pk': PARTITION_KEY },
                ExpressionAttributeValues: { ':ttl': expiresAt },
              }),
            ),
          ),
        ),
      );
      from = LastEvaluatedKey;
    } while (from !== undefined);
  }
}

function expiryOf(now: number, retentionDays: number): number {
  return Math.ceil(now / 1_000) + retentionDays * DAY_SECONDS;
}
