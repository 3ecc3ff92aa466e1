import { ChangeMessageVisibilityCommand, SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import {
  ENVELOPE_VERSION,
  type Envelope,
  type LaneName,
  type Priority,
  sha256,
  type TaskRecord,
} from '../../../lib/contract';
import type { QueueUrls } from '../settings';

/**
 * SQS hides a message for twelve hours at most, counted from its receive
 * (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html). A function
 * that changes it has had it for less than an hour.
 */
export const MAX_HIDE_MS = 11 * 60 * 60_000;

/** Handle of a message that a worker received, and the queue that it came from. */
export interface MessageHandle {
  readonly lane: LaneName;
  readonly priority: Priority;
  readonly receiptHandle: string;
}

/** The lanes' queues as seen by those who send tasks to them, and by the workers that requeue them. */
export class TaskQueues {
  readonly #client: SQSClient;
  readonly #urls: QueueUrls;

  constructor(client: SQSClient, urls: QueueUrls) {
    this.#client = client;
    this.#urls = urls;
  }

  /**
   * Sends the task to the queue of its lane and priority.
   *
   * @param traceHeader X-Ray trace header to go with the message
   */
  async send(task: TaskRecord, traceHeader: string | undefined): Promise<void> {
    await this.sendEnvelope(envelopeOf(task), traceHeader);
  }

  /** Sends a message to the queue of the envelope's lane and priority. */
  async sendEnvelope(envelope: Envelope, traceHeader: string | undefined): Promise<void> {
    await this.#client.send(
      new SendMessageCommand({
        QueueUrl: this.#urls[envelope.lane][envelope.priority],
        MessageBody: JSON.stringify(envelope),
        MessageGroupId: messageGroupOf(envelope.user),
        ...systemAttributesOf(traceHeader),
      }),
    );
  }

  /** Makes a received message visible again after a delay. */
  async hide(
    { lane, priority, receiptHandle }: MessageHandle,
    milliseconds: number,
    abortSignal?: AbortSignal,
  ): Promise<void> {
    await this.#client.send(
      new ChangeMessageVisibilityCommand({
        QueueUrl: this.#urls[lane][priority],
        ReceiptHandle: receiptHandle,
        VisibilityTimeout: Math.ceil(Math.min(Math.max(milliseconds, 0), MAX_HIDE_MS) / 1000),
      }),
      abortSignal === undefined ? {} : { abortSignal },
    );
  }
}

export function envelopeOf({ id, agent, lane, priority, mode, user }: TaskRecord): Envelope {
  return { version: ENVELOPE_VERSION, agent, taskId: id, lane, priority, mode, user };
}

/** The message attribute by which SQS passes a trace on. */
export function systemAttributesOf(traceHeader: string | undefined) {
  return traceHeader === undefined
    ? {}
    : { MessageSystemAttributes: { AWSTraceHeader: { DataType: 'String', StringValue: traceHeader } } };
}

/**
 * Group by which a fair queue keeps one noisy user from starving the others
 * (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html). Hashed, for users may
 * have characters and lengths that SQS refuses.
 */
export function messageGroupOf(user: string): string {
  return sha256(user);
}
