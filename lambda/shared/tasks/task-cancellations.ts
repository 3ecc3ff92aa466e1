import { randomUUID } from 'node:crypto';
import { type DynamoDBDocumentClient, UpdateCommand, type UpdateCommandInput } from '@aws-sdk/lib-dynamodb';
import {
  type TaskError,
  TaskKey,
  type TaskRecord,
  TTL_ATTRIBUTE,
  taskRecordSchema,
  WRITE_TOKEN_ATTRIBUTE,
} from '../../../lib/contract';
import { isConditionFailure } from '../aws/aws-errors';
import { ownWrite } from './own-write';

/** What `endedBy` says of a task that no worker ended. */
const ENDED_BY_API = 'api';

/** The end of a task that is cancelled in its queue. */
export interface QueueEnd {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly error: TaskError;
  /** Time to live of the record from now on: seconds since 1970. */
  readonly expiresAt: number;
}

/** The writes by which callers cancel tasks: each a single conditional one, so that a task still has one end only. */
export interface Cancellations {
  /**
   * Ends a task that waits in its queue. Its message stays there: the worker that gets it finds the task ended.
   *
   * @returns the record as it is now; undefined if the task is not queued any more
   */
  cancelQueued(taskId: string, end: QueueEnd): Promise<TaskRecord | undefined>;
  /**
   * Leaves word for the worker that has the task. The first request's time stays.
   *
   * @returns false if the task does not run any more
   */
  request(taskId: string, now: number): Promise<boolean>;
}

export class TaskCancellations implements Cancellations {
  constructor(
    private readonly client: DynamoDBDocumentClient,
    private readonly tableName: string,
  ) {}

  async cancelQueued(taskId: string, { at, error, expiresAt }: QueueEnd): Promise<TaskRecord | undefined> {
    const token = randomUUID();
    const written = await this.update(taskId, {
      // A task that went back to its queue still has the lease of its last worker, run out.
      UpdateExpression:
        'SET #status = :cancelled, finishedAt = :at, endedBy = :api, #error = :error, #ttl = :ttl, #token = :token REMOVE #lease',
      ConditionExpression: '#status = :queued',
      ExpressionAttributeNames: {
        '#status': 'status',
        '#error': 'error',
        '#lease': 'lease',
        '#ttl': TTL_ATTRIBUTE,
        '#token': WRITE_TOKEN_ATTRIBUTE,
      },
      ExpressionAttributeValues: {
        ':queued': 'queued',
        ':cancelled': 'cancelled',
        ':at': at,
        ':api': ENDED_BY_API,
        ':error': error,
        ':ttl': expiresAt,
        ':token': token,
      },
    });
    const item = written ?? (await ownWrite(this.client, this.tableName, TaskKey.task(taskId), token));
    return item === undefined ? undefined : taskRecordSchema.parse(item);
  }

  async request(taskId: string, now: number): Promise<boolean> {
    const item = await this.update(taskId, {
      UpdateExpression: 'SET cancelRequestedAt = if_not_exists(cancelRequestedAt, :now)',
      ConditionExpression: '#status = :running',
      ExpressionAttributeNames: { '#status': 'status' },
      ExpressionAttributeValues: { ':running': 'running', ':now': now },
    });
    return item !== undefined;
  }

  private async update(
    taskId: string,
    change: Omit<UpdateCommandInput, 'TableName' | 'Key' | 'ReturnValues'>,
  ): Promise<Record<string, unknown> | undefined> {
    try {
      const { Attributes = {} } = await this.client.send(
        new UpdateCommand({
          TableName: this.tableName,
          Key: TaskKey.task(taskId),
          ReturnValues: 'ALL_NEW',
          ...change,
        }),
      );
      return Attributes;
    } catch (error) {
      if (isConditionFailure(error)) {
        return undefined;
      }
      throw error;
    }
  }
}
