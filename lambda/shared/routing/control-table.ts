import { type DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { PARTITION_KEY, type TableKey } from '../../../lib/contract';
import { isConditionFailure } from '../aws/aws-errors';

type Item = Readonly<Record<string, unknown>>;

/** The control table as the recorder writes it: put once, or in place of what was read. */
export class ControlTable {
  constructor(
    private readonly client: DynamoDBDocumentClient,
    private readonly tableName: string,
  ) {}

  async get(key: TableKey): Promise<Item | undefined> {
    const { Item } = await this.client.send(
      new GetCommand({ TableName: this.tableName, Key: key, ConsistentRead: true }),
    );
    return Item;
  }

  /** @returns false if there is an item under the key: it stays as it is */
  async putOnce(key: TableKey, item: Item): Promise<boolean> {
    return await this.put(key, item, {
      ConditionExpression: 'attribute_not_exists(#pk)',
      ExpressionAttributeNames: { '#pk': PARTITION_KEY },
    });
  }

  /** @returns false if there is an item under the key whose attribute has another value: it stays as it is */
  async putUnlessOther(key: TableKey, item: Item, attribute: string): Promise<boolean> {
    return await this.put(key, item, {
      ConditionExpression: 'attribute_not_exists(#pk) OR #attribute = :value',
      ExpressionAttributeNames: { '#pk': PARTITION_KEY, '#attribute': attribute },
      ExpressionAttributeValues: { ':value': item[attribute] },
    });
  }

  async replace(key: TableKey, item: Item): Promise<void> {
    await this.put(key, item, {});
  }

  private async put(
    key: TableKey,
    item: Item,
    condition: Pick<
      PutCommand['input'],
      'ConditionExpression' | 'ExpressionAttributeNames' | 'ExpressionAttributeValues'
    >,
  ): Promise<boolean> {
    try {
      await this.client.send(new PutCommand({ TableName: this.tableName, Item: { ...key, ...item }, ...condition }));
      return true;
    } catch (error) {
      if (isConditionFailure(error)) {
        return false;
      }
      throw error;
    }
  }
}
