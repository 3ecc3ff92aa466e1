import { ChangeMessageVisibilityCommand, SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { WebhookDeadLetterAttribute, type WebhookDeadLetterReason } from '../../../lib/contract';
import type { SqsRecord } from '../../shared/aws/sqs-event';

/** The webhook queue and its dead-letter queue, as the webhook function uses them. */
export class WebhookQueue {
  readonly #client: SQSClient;
  readonly #url: string;
  readonly #deadLetterUrl: string;

  constructor(client: SQSClient, url: string, deadLetterUrl: string) {
    this.#client = client;
    this.#url = url;
    this.#deadLetterUrl = deadLetterUrl;
  }

  /** Makes the message visible again after a delay. */
  async postpone({ receiptHandle }: SqsRecord, milliseconds: number): Promise<void> {
    await this.#client.send(
      new ChangeMessageVisibilityCommand({
        QueueUrl: this.#url,
        ReceiptHandle: receiptHandle,
        VisibilityTimeout: Math.ceil(milliseconds / 1_000),
      }),
    );
  }

  /** Puts a copy of the message into the dead-letter queue. */
  async moveToDeadLetterQueue({ body }: SqsRecord, reason: WebhookDeadLetterReason, attempts: number): Promise<void> {
    await this.#client.send(
      new SendMessageCommand({
        QueueUrl: this.#deadLetterUrl,
        MessageBody: body,
        MessageAttributes: {
          [WebhookDeadLetterAttribute.REASON]: { DataType: 'String', StringValue: reason },
          [WebhookDeadLetterAttribute.ATTEMPTS]: { DataType: 'Number', StringValue: String(attempts) },
        },
      }),
    );
  }
}

/** Whether the message was redriven from the dead-letter queue. */
export function isRedriven({ messageAttributes }: SqsRecord): boolean {
  return messageAttributes !== undefined && WebhookDeadLetterAttribute.REASON in messageAttributes;
}
