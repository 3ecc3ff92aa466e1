import { randomUUID } from 'node:crypto';
import { DeleteCommand, type DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import {
  PARTITION_KEY,
  TaskKey,
  type TaskRecord,
  TTL_ATTRIBUTE,
  taskRecordSchema,
  WRITE_TOKEN_ATTRIBUTE,
} from '../../../lib/contract';
import { isConditionFailure } from '../aws/aws-errors';
import { ownWrite } from './own-write';

/** The tasks table as seen by those who create and read tasks. Running and finishing them is the worker's. */
export class TaskTable {
  constructor(
    private readonly client: DynamoDBDocumentClient,
    private readonly tableName: string,
  ) {}

  /**
   * Writes the task unless its id is taken. An id whose record is past its expiry counts as free: DynamoDB deletes
   * expired items only within days.
   *
   * @param token the same for whoever tries again after an error
   * @returns false if the id is taken
   */
  async create(task: TaskRecord, token: string = randomUUID()): Promise<boolean> {
    const key = TaskKey.task(task.id);
    try {
      await this.client.send(
        new PutCommand({
          TableName: this.tableName,
          Item: { ...key, ...task, [WRITE_TOKEN_ATTRIBUTE]: token },
          ConditionExpression: 'attribute_not_exists(#pk) OR #ttl < :now',
          ExpressionAttributeNames: { '#pk': PARTITION_KEY, '#ttl': TTL_ATTRIBUTE },
          ExpressionAttributeValues: { ':now': Math.floor(task.createdAt / 1000) },
        }),
      );
      return true;
    } catch (error) {
      if (isConditionFailure(error)) {
        return (await ownWrite(this.client, this.tableName, key, token)) !== undefined;
      }
      throw error;
    }
  }

  /** The task as it is now (consistent read); undefined if there is none. */
  async get(taskId: string): Promise<TaskRecord | undefined> {
    const { Item } = await this.client.send(
      new GetCommand({ TableName: this.tableName, Key: TaskKey.task(taskId), ConsistentRead: true }),
    );
    return Item === undefined ? undefined : taskRecordSchema.parse(Item);
  }

  /**
   * Takes back a task that no worker has claimed yet.
   *
   * @returns false if a worker has: the task then stays
   */
  async discard(taskId: string): Promise<boolean> {
    try {
      await this.client.send(
        new DeleteCommand({
          TableName: this.tableName,
          Key: TaskKey.task(taskId),
          ConditionExpression: 'attribute_not_exists(#pk) OR (#status = :queued AND #attempts = :none)',
          ExpressionAttributeNames: { '#pk': PARTITION_KEY, '#status': 'status', '#attempts': 'attempts' },
          ExpressionAttributeValues: { ':queued': 'queued', ':none': 0 },
        }),
      );
      return true;
    } catch (error) {
      if (isConditionFailure(error)) {
        return false;
      }
      throw error;
    }
  }
}
