import { type MessageAttributeValue, SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { Envelope, LaneName } from '../../../lib/contract';
import { messageGroupOf, systemAttributesOf } from '../../shared/tasks/task-queues';

/** Attributes of a message in the dead-letter queue. */
export interface DeadLetterFacts {
  /** Error code of the task. */
  readonly reason: string;
  readonly release?: string;
  readonly attempts?: number;
}

/**
 * Moves the message of a task that failed after its last attempt to the dead-letter queue. SQS would do the same later; the
 * worker does it at once and adds the reason as message attributes.
 */
export class DeadLetterSender {
  readonly #client: SQSClient;
  readonly #urls: Readonly<Record<LaneName, string>>;

  constructor(client: SQSClient, urls: Readonly<Record<LaneName, string>>) {
    this.#client = client;
    this.#urls = urls;
  }

  async send(
    envelope: Envelope,
    { reason, release, attempts }: DeadLetterFacts,
    traceHeader: string | undefined,
  ): Promise<void> {
    await this.#client.send(
      new SendMessageCommand({
        QueueUrl: this.#urls[envelope.lane],
        MessageBody: JSON.stringify(envelope),
        MessageGroupId: messageGroupOf(envelope.user),
        MessageAttributes: {
          reason: text(reason),
          ...(release === undefined ? {} : { release: text(release) }),
          ...(attempts === undefined ? {} : { attempts: { DataType: 'Number', StringValue: String(attempts) } }),
        },
        ...systemAttributesOf(traceHeader),
      }),
    );
  }
}

function text(value: string): MessageAttributeValue {
  return { DataType: 'String', StringValue: value };
}
