import { type MessageAttributeValue, SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { Envelope, LaneName, TaskRecord } from '../../../lib/contract';
import { messageGroupOf, systemAttributesOf } from '../../shared/tasks/task-queues';

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

  async send(envelope: Envelope, task: TaskRecord, traceHeader: string | undefined): Promise<void> {
    await this.#client.send(
      new SendMessageCommand({
        QueueUrl: this.#urls[envelope.lane],
        MessageBody: JSON.stringify(envelope),
        MessageGroupId: messageGroupOf(envelope.user),
        MessageAttributes: {
          reason: text(task.error?.code ?? 'unknown'),
          ...(task.release === undefined ? {} : { release: text(task.release) }),
          attempts: { DataType: 'Number', StringValue: String(task.attempts) },
        },
        ...systemAttributesOf(traceHeader),
      }),
    );
  }
}

function text(value: string): MessageAttributeValue {
  return { DataType: 'String', StringValue: value };
}
