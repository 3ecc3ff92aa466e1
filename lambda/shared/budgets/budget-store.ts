import { type DynamoDBDocumentClient, GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { type TableKey, TTL_ATTRIBUTE } from '../../../lib/contract';

const itemSchema = z.object({ dollars: z.number() });

/** Money spent on a day, in the control table. */
export interface BudgetStore {
  spent(key: TableKey): Promise<number>;
  /** @returns all that is spent by then */
  add(key: TableKey, dollars: number, expiresAt: number): Promise<number>;
}

export class ControlTableBudgets implements BudgetStore {
  readonly #client: DynamoDBDocumentClient;
  readonly #table: string;

  constructor(client: DynamoDBDocumentClient, table: string) {
    this.#client = client;
    this.#table = table;
  }

  async spent(key: TableKey): Promise<number> {
    const { Item } = await this.#client.send(new GetCommand({ TableName: this.#table, Key: key }));
    return Item === undefined ? 0 : itemSchema.parse(Item).dollars;
  }

  async add(key: TableKey, dollars: number, expiresAt: number): Promise<number> {
    const { Attributes } = await this.#client.send(
      new UpdateCommand({
        TableName: this.#table,
        Key: key,
        UpdateExpression: 'ADD #dollars :dollars SET #ttl = :ttl',
        ExpressionAttributeNames: { '#dollars': 'dollars', '#ttl': TTL_ATTRIBUTE },
        ExpressionAttributeValues: { ':dollars': dollars, ':ttl': expiresAt },
        ReturnValues: 'UPDATED_NEW',
      }),
    );
    return itemSchema.parse(Attributes).dollars;
  }
}
