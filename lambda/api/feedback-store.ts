import { type DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { type FeedbackItem, feedbackItemSchema, PARTITION_KEY, TaskKey } from '../../lib/contract';
import { isConditionFailure } from '../common/aws-errors';

/** Where judgements are kept: one of each user about each task. */
export interface Feedback {
  /** @param user digest */
  get(taskId: string, user: string): Promise<FeedbackItem | undefined>;
  /**
   * Writes the judgement if the one that was read is still there.
   *
   * @param replaces when the judgement that was read was made; undefined: there was none
   * @returns false if another one came in between
   */
  put(taskId: string, user: string, item: FeedbackItem, replaces: number | undefined): Promise<boolean>;
}

/** Judgements beside the record of their task. */
export class FeedbackStore implements Feedback {
  constructor(
    private readonly client: DynamoDBDocumentClient,
    private readonly tableName: string,
  ) {}

  async get(taskId: string, user: string): Promise<FeedbackItem | undefined> {
    const { Item } = await this.client.send(
      new GetCommand({ TableName: this.tableName, Key: TaskKey.feedback(taskId, user), ConsistentRead: true }),
    );
    return Item === undefined ? undefined : feedbackItemSchema.parse(Item);
  }

  async put(taskId: string, user: string, item: FeedbackItem, replaces: number | undefined): Promise<boolean> {
    try {
      await this.client.send(
        new PutCommand({
          TableName: this.tableName,
          Item: { ...TaskKey.feedback(taskId, user), ...item },
          ...(replaces === undefined
            ? {
                ConditionExpression: 'attribute_not_exists(#pk)',
                ExpressionAttributeNames: { '#pk': PARTITION_KEY },
              }
            : {
                ConditionExpression: '#at = :replaces',
                ExpressionAttributeNames: { '#at': 'at' },
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
