import { type DynamoDBDocumentClient, GetCommand, PutCommand, type PutCommandInput } from '@aws-sdk/lib-dynamodb';
import { PARTITION_KEY, type TableKey } from '../../../lib/contract';
import { conditionally } from '../aws/conditional-write';

type Item = Readonly<Record<string, unknown>>;

/** Append-only items of the control table: releases and the audit trail. {@link RoutingRepository} owns the others. */
export class ControlTable {
  readonly #client: DynamoDBDocumentClient;
  readonly #table: string;

  constructor(client: DynamoDBDocumentClient, table: string) {
    this.#client = client;
    this.#table = table;
  }

  async get(key: TableKey): Promise<Item | undefined> {
    const { Item } = await this.#client.send(
      new GetCommand({ TableName: this.#table, Key: key, ConsistentRead: true }),
    );
    return Item;
  }

  /** @returns false if there is an item under the key: it stays as it is */
  async putOnce(key: TableKey, item: Item): Promise<boolean> {
    return await this.#put(key, item, {
      ConditionExpression: 'attribute_not_exists(#pk)',
      ExpressionAttributeNames: { '#pk': PARTITION_KEY },
    });
  }

  /** @returns false if there is an item under the key whose attribute has another value: it stays as it is */
  async putUnlessOther(key: TableKey, item: Item, attribute: string): Promise<boolean> {
    return await this.#put(key, item, {
      ConditionExpression: 'attribute_not_exists(#pk) OR #attribute = :value',
      ExpressionAttributeNames: { '#pk': PARTITION_KEY, '#attribute': attribute },
      ExpressionAttributeValues: { ':value': item[attribute] },
    });
  }

  async #put(key: TableKey, item: Item, condition: Partial<PutCommandInput>): Promise<boolean> {
    const put = new PutCommand({ TableName: this.#table, Item: { ...key, ...item }, ...condition });
    const { ok } = await conditionally(() => this.#client.send(put));
    return ok;
  }
}
