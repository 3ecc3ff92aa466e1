import type { Logger } from '@aws-lambda-powertools/logger';
import type { Envelope, TaskRecord } from '../../../lib/contract';
import type { SqsRecord } from '../../shared/aws/sqs-event';
import { messageOf } from '../../shared/errors';
import { envelopeOf, type TaskQueues } from '../../shared/tasks/task-queues';

/** What becomes of a message: `leave` lets the queue hand it out again. */
export type MessageDisposition = 'delete' | 'leave';

/**
 * A worker does not run a message in the last quarter of its receives but replaces it by a fresh copy: were the worker to
 * die of it, or the delivery to get lost, the message would be in the dead-letter queue with its task unfinished.
 */
const RECEIVES_KEPT_BACK = 1 / 4;

/** One message in the hands of a worker. */
export class ReceivedMessage {
  readonly receiveCount: number;
  readonly traceHeader: string | undefined;

  readonly #message: SqsRecord;
  readonly #queues: TaskQueues;

  constructor(
    readonly envelope: Envelope,
    readonly logger: Logger,
    message: SqsRecord,
    queues: TaskQueues,
  ) {
    this.#message = message;
    this.#queues = queues;
    this.receiveCount = message.attributes.ApproximateReceiveCount;
    this.traceHeader = message.attributes.AWSTraceHeader;
  }

  /** Whether the message has to be replaced before it can be run. @param maxReceives of its queue */
  isNearMaxReceiveCount(maxReceives: number): boolean {
    return this.receiveCount > Math.floor(maxReceives * (1 - RECEIVES_KEPT_BACK));
  }

  /** Hides the message for so many milliseconds from now. */
  changeVisibility(milliseconds: number, abortSignal?: AbortSignal): Promise<void> {
    const { lane, priority } = this.envelope;
    const { receiptHandle } = this.#message;
    return this.#queues.hide({ lane, priority, receiptHandle }, milliseconds, abortSignal);
  }

  /** Leaves the message, to come back after so many milliseconds: or, if the queue cannot be told, whenever it does. */
  async postpone(milliseconds: number): Promise<MessageDisposition> {
    try {
      await this.changeVisibility(milliseconds);
    } catch (error) {
      this.logger.warn('the time at which the message comes back was not set', {
        outcome: 'error',
        reason: messageOf(error),
      });
    }
    return 'leave';
  }

  /** Sends the message anew, so that it can be deleted. @param task sends the message of this record instead */
  async resend(task?: TaskRecord): Promise<void> {
    await this.#queues.sendEnvelope(task === undefined ? this.envelope : envelopeOf(task), this.traceHeader);
  }
}
