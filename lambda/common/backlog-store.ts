import { type DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { type BacklogItem, backlogItemSchema, ControlKey, PARTITION_KEY } from '../../lib/contract';
import { isConditionFailure } from './aws-errors';

/** Where the snapshot of the queues is kept. */
export interface BacklogStore {
  read(): Promise<BacklogItem | undefined>;
  /**
   * Writes the snapshot if the one that was read is still there.
   *
   * @param replaces sequence of what was read; undefined: there was none
   * @returns false if somebody was faster
   */
  write(item: BacklogItem, replaces: number | undefined): Promise<boolean>;
}

/** The snapshot in the control table. */
export class ControlTableBacklog implements BacklogStore {
  constructor(
    private readonly client: DynamoDBDocumentClient,
    private readonly tableName: string,
  ) {}

  async read(): Promise<BacklogItem | undefined> {
    const { Item } = await this.client.send(
      new GetCommand({ TableName: this.tableName, Key: ControlKey.backlog, ConsistentRead: true }),
    );
    return Item === undefined ? undefined : backlogItemSchema.parse(Item);
  }

  async write(item: BacklogItem, replaces: number | undefined): Promise<boolean> {
    try {
      await this.client.send(
        new PutCommand({
          TableName: this.tableName,
          Item: { ...ControlKey.backlog, ...item },
          ...(replaces === undefined
            ? {
                ConditionExpression: 'attribute_not_exists(#pk)',
                ExpressionAttributeNames: { '#pk': PARTITION_KEY },
              }
            : {
                ConditionExpression: '#sequence = :replaces',
                ExpressionAttributeNames: { '#sequence': 'sequence' },
                ExpressionAttributeValues: { ':replaces': replaces },
              }),
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
