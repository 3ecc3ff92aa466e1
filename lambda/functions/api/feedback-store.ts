import { randomUUID } from 'node:crypto';
import { type DynamoDBDocumentClient, GetCommand } from '@aws-sdk/lib-dynamodb';
import { type FeedbackItem, feedbackItemSchema, TaskKey, WRITE_TOKEN_ATTRIBUTE } from '../../../lib/contract';
import { ownWrite, replaceItem } from '../../shared/aws/conditional-write';

/** Where judgments are kept: one of each user about each task. */
export interface Feedback {
  /** @param user digest */
  get(taskId: string, user: string): Promise<FeedbackItem | undefined>;
  /**
   * Writes the judgment if the one that was read is still there.
   *
   * @param replaces when the judgment that was read was made; undefined: there was none
   * @returns false if another one came in between
   */
  put(taskId: string, user: string, item: FeedbackItem, replaces: number | undefined): Promise<boolean>;
}

/** Judgments beside the record of their task. */
export class FeedbackStore implements Feedback {
  readonly #client: DynamoDBDocumentClient;
  readonly #tableName: string;

  constructor(client: DynamoDBDocumentClient, tableName: string) {
    this.#client = client;
    this.#tableName = tableName;
  }

  async get(taskId: string, user: string): Promise<FeedbackItem | undefined> {
    const { Item } = await this.#client.send(
      new GetCommand({ TableName: this.#tableName, Key: TaskKey.feedback(taskId, user), ConsistentRead: true }),
    );
    return Item === undefined ? undefined : feedbackItemSchema.parse(Item);
  }

  async put(taskId: string, user: string, item: FeedbackItem, replaces: number | undefined): Promise<boolean> {
    const key = TaskKey.feedback(taskId, user);
    const token = randomUUID();
    const whole = { ...key, ...item, [WRITE_TOKEN_ATTRIBUTE]: token };
    return (
      (await replaceItem(this.#client, this.#tableName, whole, { attribute: 'at', value: replaces })) ||
      (await ownWrite(this.#client, this.#tableName, key, token)) !== undefined
    );
  }
}
