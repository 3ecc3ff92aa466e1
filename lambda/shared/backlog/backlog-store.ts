import { type DynamoDBDocumentClient, GetCommand } from '@aws-sdk/lib-dynamodb';
import { type BacklogItem, backlogItemSchema, ControlKey } from '../../../lib/contract';
import { replaceItem } from '../aws/conditional-write';

/** Where the snapshot of the queues is kept. */
export interface BacklogStore {
  read(): Promise<BacklogItem | undefined>;
  /**
   * Writes the snapshot if the one that was read is still there.
   *
   * @param replaces sequence of what was read; undefined: there was none
   * @returns false if another environment was faster
   */
  write(item: BacklogItem, replaces: number | undefined): Promise<boolean>;
}

/** The snapshot in the control table. */
export class ControlTableBacklog implements BacklogStore {
  readonly #client: DynamoDBDocumentClient;
  readonly #tableName: string;

  constructor(client: DynamoDBDocumentClient, tableName: string) {
    this.#client = client;
    this.#tableName = tableName;
  }

  async read(): Promise<BacklogItem | undefined> {
    const { Item } = await this.#client.send(
      new GetCommand({ TableName: this.#tableName, Key: ControlKey.backlog, ConsistentRead: true }),
    );
    return Item === undefined ? undefined : backlogItemSchema.parse(Item);
  }

  write(item: BacklogItem, replaces: number | undefined): Promise<boolean> {
    const whole = { ...ControlKey.backlog, ...item };
    return replaceItem(this.#client, this.#tableName, whole, { attribute: 'sequence', value: replaces });
  }
}
