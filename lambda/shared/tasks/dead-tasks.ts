import { type DynamoDBDocumentClient, QueryCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import {
  DAY_SECONDS,
  type LaneName,
  PARTITION_KEY,
  SORT_KEY,
  STEP_SORT_KEY_PREFIX,
  TaskKey,
  type TaskRecord,
  TTL_ATTRIBUTE,
} from '../../../lib/contract';
import { isConditionFailure } from '../aws/aws-errors';

/** What is forgotten of a task that starts again: its end, and what was counted against it. */
const FORGOTTEN = [
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

/** Tasks whose messages went to a dead-letter queue, as they are made to run again. */
export class DeadTasks {
  constructor(
    private readonly client: DynamoDBDocumentClient,
    private readonly tableName: string,
    private readonly retentionDays: number,
  ) {}

  /**
   * Puts a task that failed after its last attempt back to queued, with all its tries before it. Attempts are not taken
   * back, for they are the fence of the step journal: they are no longer counted.
   *
   * @param now milliseconds since 1970
   * @returns false if the task is no longer what it was when it was read
   */
  async requeue({ id, finishedAt }: TaskRecord, lane: LaneName, now: number): Promise<boolean> {
    const expiresAt = this.expiry(now);
    await this.keepJournal(id, expiresAt, now);
    const names = Object.fromEntries(FORGOTTEN.map((name) => [`#${name}`, name]));
    return await this.update(id, {
      UpdateExpression:
        'SET #status = :queued, #lane = :lane, #uncounted = #attempts, #ttl = :ttl ADD #redrives :one ' +
        `REMOVE ${Object.keys(names).join(', ')}`,
      ConditionExpression: '#status = :failed AND #exhausted = :true AND #finishedAt = :finishedAt',
      ExpressionAttributeNames: {
        ...names,
        '#status': 'status',
        '#lane': 'lane',
        '#uncounted': 'uncounted',
        '#attempts': 'attempts',
        '#redrives': 'redrives',
        '#ttl': TTL_ATTRIBUTE,
      },
      ExpressionAttributeValues: {
        ':queued': 'queued',
        ':failed': 'failed',
        ':true': true,
        ':finishedAt': finishedAt,
        ':lane': lane,
        ':one': 1,
        ':ttl': expiresAt,
      },
    });
  }

  /**
   * Gives a task that has not ended all its tries again: an outage took its message to the dead-letter queue. One that a
   * worker holds at this moment stays as it is.
   */
  async refresh({ id, attempts }: TaskRecord, now: number): Promise<void> {
    const expiresAt = this.expiry(now);
    await this.keepJournal(id, expiresAt, now);
    await this.update(id, {
      UpdateExpression: 'SET #uncounted = #attempts, #ttl = :ttl REMOVE #waits, #ranMs',
      ConditionExpression:
        '#attempts = :attempts AND (#status = :queued OR (#status = :running AND #lease.#expiresAt < :now))',
      ExpressionAttributeNames: {
        '#status': 'status',
        '#uncounted': 'uncounted',
        '#attempts': 'attempts',
        '#waits': 'waits',
        '#ranMs': 'ranMs',
        '#lease': 'lease',
        '#expiresAt': 'expiresAt',
        '#ttl': TTL_ATTRIBUTE,
      },
      ExpressionAttributeValues: {
        ':attempts': attempts,
        ':queued': 'queued',
        ':running': 'running',
        ':now': now,
        ':ttl': expiresAt,
      },
    });
  }

  private expiry(now: number): number {
    return Math.ceil(now / 1_000) + this.retentionDays * DAY_SECONDS;
  }

  /** Finished steps must outlive the attempts to come, or they would be run, and paid, again. */
  private async keepJournal(taskId: string, expiresAt: number, now: number): Promise<void> {
    const soon = (now / 1_000 + expiresAt) / 2;
    let from: Record<string, unknown> | undefined;
    do {
      const { Items = [], LastEvaluatedKey } = await this.client.send(
        new QueryCommand({
          TableName: this.tableName,
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
          this.client
            .send(
              new UpdateCommand({
                TableName: this.tableName,
                Key: { [PARTITION_KEY]: taskId, [SORT_KEY]: item[SORT_KEY] },
                UpdateExpression: 'SET #ttl = :ttl',
                // One that has expired meanwhile must not come back as an entry that says nothing.
                ConditionExpression: 'attribute_exists(#pk)',
                ExpressionAttributeNames: { '#ttl': TTL_ATTRIBUTE, '#pk': PARTITION_KEY },
                ExpressionAttributeValues: { ':ttl': expiresAt },
              }),
            )
            .catch(ignoreConditionFailure),
        ),
      );
      from = LastEvaluatedKey;
    } while (from !== undefined);
  }

  /** @returns false if the condition did not hold */
  private async update(taskId: string, input: Omit<UpdateCommand['input'], 'TableName' | 'Key'>): Promise<boolean> {
    try {
      await this.client.send(new UpdateCommand({ TableName: this.tableName, Key: TaskKey.task(taskId), ...input }));
      return true;
    } catch (error) {
      ignoreConditionFailure(error);
      return false;
    }
  }
}

function ignoreConditionFailure(error: unknown): void {
  if (!isConditionFailure(error)) {
    throw error;
  }
}
