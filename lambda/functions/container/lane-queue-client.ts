import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import type { Priority } from '../../../lib/contract';
import { type SqsRecord, sqsRecordSchema } from '../../shared/aws/sqs-event';

/** Longest wait of a poll, and most messages of one (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html). */
export const LONG_POLL_SECONDS = 20;
export const MAX_PER_POLL = 10;

export interface LaneQueueClientDeps {
  /** For polls: its request timeout outlasts a long one, and it does not repeat them. */
  readonly polls: SQSClient;
  readonly client: SQSClient;
  readonly urls: Readonly<Record<Priority, string>>;
  /** Milliseconds that a message is hidden from its receive on: long enough to claim its task and renew the lease once. */
  readonly hiddenMs: number;
}

/** The queues of one lane, as a poller sees them. */
export class LaneQueueClient {
  readonly #deps: LaneQueueClientDeps;

  constructor(deps: LaneQueueClientDeps) {
    this.#deps = deps;
  }

  /** @param waitSeconds 0 asks some of SQS's servers and answers at once, more asks them all */
  async receive(
    priority: Priority,
    most: number,
    waitSeconds: number,
    abortSignal?: AbortSignal,
  ): Promise<readonly SqsRecord[]> {
    const { polls, urls, hiddenMs } = this.#deps;
    const { Messages = [] } = await polls.send(
      new ReceiveMessageCommand({
        QueueUrl: urls[priority],
        MaxNumberOfMessages: Math.min(most, MAX_PER_POLL),
        WaitTimeSeconds: waitSeconds,
        VisibilityTimeout: Math.ceil(hiddenMs / 1000),
        MessageSystemAttributeNames: ['ApproximateReceiveCount', 'AWSTraceHeader'],
      }),
      abortSignal === undefined ? {} : { abortSignal },
    );
    return Messages.map(({ MessageId, ReceiptHandle, Body, Attributes }) =>
      sqsRecordSchema.parse({
        messageId: MessageId,
        receiptHandle: ReceiptHandle,
        body: Body ?? '',
        attributes: Attributes,
      }),
    );
  }

  async delete(priority: Priority, { receiptHandle }: SqsRecord): Promise<void> {
    const { client, urls } = this.#deps;
    await client.send(new DeleteMessageCommand({ QueueUrl: urls[priority], ReceiptHandle: receiptHandle }));
  }

  /** Makes the message visible again after a delay. @default at once */
  async requeue(priority: Priority, { receiptHandle }: SqsRecord, milliseconds = 0): Promise<void> {
    const { client, urls } = this.#deps;
    await client.send(
      new ChangeMessageVisibilityCommand({
        QueueUrl: urls[priority],
        ReceiptHandle: receiptHandle,
        VisibilityTimeout: Math.ceil(milliseconds / 1000),
      }),
    );
  }
}
