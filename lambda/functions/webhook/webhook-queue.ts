import { ChangeMessageVisibilityCommand, SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { SqsRecord } from '../../shared/aws/sqs-event';

/** Why a webhook was given up; stands on its message in the dead-letter queue as attribute {@link REASON}. */
export type DeadLetterReason = 'unreadable' | 'refused' | 'gone' | 'out_of_time';

const REASON = 'Reason';
const ATTEMPTS = 'Attempts';

/** The webhook queue and its dead-letter queue, as the webhook function uses them. */
export class WebhookQueue {
  constructor(
    private readonly client: SQSClient,
    private readonly url: string,
    private readonly deadLetterUrl: string,
  ) {}

  /** Has the message come again after so many milliseconds. */
  async postpone({ receiptHandle }: SqsRecord, milliseconds: number): Promise<void> {
    await this.client.send(
      new ChangeMessageVisibilityCommand({
        QueueUrl: this.url,
        ReceiptHandle: receiptHandle,
        VisibilityTimeout: Math.ceil(milliseconds / 1_000),
      }),
    );
  }

  /** Puts a copy of the message into the dead-letter queue. */
  async moveToDeadLetterQueue({ body }: SqsRecord, reason: DeadLetterReason, attempts: number): Promise<void> {
    await this.client.send(
      new SendMessageCommand({
        QueueUrl: this.deadLetterUrl,
        MessageBody: body,
        MessageAttributes: {
          [REASON]: { DataType: 'String', StringValue: reason },
          [ATTEMPTS]: { DataType: 'Number', StringValue: String(attempts) },
        },
      }),
    );
  }
}

/** Whether somebody took the message out of the dead-letter queue to have it tried again. */
export function isRedriven({ messageAttributes }: SqsRecord): boolean {
  return messageAttributes !== undefined && REASON in messageAttributes;
}
