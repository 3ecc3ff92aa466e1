import { SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { ENVELOPE_VERSION, type Envelope, sha256, type TaskRecord } from '../../lib/contract';
import type { QueueUrls } from './settings';

/** The lanes' queues as seen by those who send tasks to them. */
export class TaskQueues {
  constructor(
    private readonly client: SQSClient,
    private readonly urls: QueueUrls,
  ) {}

  /**
   * Sends the task to the queue of its lane and priority.
   *
   * @param traceHeader X-Ray trace header to go with the message
   */
  async send(task: TaskRecord, traceHeader: string | undefined): Promise<void> {
    await this.client.send(
      new SendMessageCommand({
        QueueUrl: this.urls[task.lane][task.priority],
        MessageBody: JSON.stringify(envelopeOf(task)),
        MessageGroupId: messageGroupOf(task.user),
        ...(traceHeader === undefined
          ? {}
          : { MessageSystemAttributes: { AWSTraceHeader: { DataType: 'String', StringValue: traceHeader } } }),
      }),
    );
  }
}

export function envelopeOf({ id, agent, lane, priority, mode, user }: TaskRecord): Envelope {
  return { version: ENVELOPE_VERSION, agent, taskId: id, lane, priority, mode, user };
}

/**
 * Group by which a fair queue keeps one noisy user from starving the others
 * (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html). Hashed, for users may
 * have characters and lengths that SQS refuses.
 */
export function messageGroupOf(user: string): string {
  return sha256(user);
}
