import { type DynamoDBDocumentClient, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { TaskKey } from '../../../lib/contract';
import { isConditionFailure } from '../aws/aws-errors';

/** Task whose end was told; the end is known by its time. */
export interface NotifiedEnd {
  readonly id: string;
  readonly finishedAt: number;
}

/**
 * Notes in a task's record what became of its webhook. Only for the end that was told: the task may have been sent back
 * meanwhile, and its next end must not pass for told.
 */
export class WebhookRecords {
  constructor(
    private readonly client: DynamoDBDocumentClient,
    private readonly tableName: string,
  ) {}

  async delivered(end: NotifiedEnd, at: number): Promise<void> {
    await this.note(end, 'SET #delivered = :at REMOVE #abandoned', at);
  }

  async abandoned(end: NotifiedEnd, at: number): Promise<void> {
    await this.note(end, 'SET #abandoned = :at', at);
  }

  private async note({ id, finishedAt }: NotifiedEnd, update: string, at: number): Promise<void> {
    try {
      await this.client.send(
        new UpdateCommand({
          TableName: this.tableName,
          Key: TaskKey.task(id),
          UpdateExpression: update,
          ConditionExpression: '#finishedAt = :finishedAt AND attribute_not_exists(#delivered)',
          ExpressionAttributeNames: {
            '#finishedAt': 'finishedAt',
            '#delivered': 'webhookDeliveredAt',
            '#abandoned': 'webhookAbandonedAt',
          },
          ExpressionAttributeValues: { ':at': at, ':finishedAt': finishedAt },
        }),
      );
    } catch (error) {
      if (!isConditionFailure(error)) {
        throw error;
      }
    }
  }
}
