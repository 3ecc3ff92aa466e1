import type { Logger } from '@aws-lambda-powertools/logger';
import type { Envelope, TaskRecord } from '../../../lib/contract';
import type { SqsRecord } from '../../shared/aws/sqs-event';
import { messageOf } from '../../shared/errors';
import { envelopeOf, type TaskQueues } from '../../shared/tasks/task-queues';

/** What happens to a message after processing. `leave`: SQS delivers it again after its visibility timeout. */
export type MessageDisposition = 'delete' | 'leave';

/**
 * In the last quarter of its receives a message is not processed but replaced with a copy: otherwise a lost worker or a lost
 * delivery would let SQS move the message to the dead-letter queue while its task is unfinished.
 */
const RESERVED_RECEIVES_SHARE = 1 / 4;

/** One message that a worker has received. */
export class WorkerMessage {
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

  /** Whether the message must be replaced with a copy first. @param maxReceives maxReceiveCount of its queue */
  isNearMaxReceiveCount(maxReceives: number): boolean {
    return this.receiveCount > Math.floor(maxReceives * (1 - RESERVED_RECEIVES_SHARE));
  }

  /** Sets the visibility timeout: the message stays hidden for this many milliseconds from now. */
  changeVisibility(milliseconds: number, abortSignal?: AbortSignal): Promise<void> {
    const { lane, priority } = this.envelope;
    const { receiptHandle } = this.#message;
    return this.#queues.hide({ lane, priority, receiptHandle }, milliseconds, abortSignal);
  }

  /** Leaves the message in its queue, hidden for this many milliseconds; if that fails, for its current visibility timeout. */
  async postpone(milliseconds: number): Promise<MessageDisposition> {
    try {
      await this.changeVisibility(milliseconds);
    } catch (error) {
      this.logger.warn('the visibility timeout of the message was not set; SQS will deliver it after the current one', {
        outcome: 'error',
        reason: messageOf(error),
      });
    }
    return 'leave';
  }

  /** Sends a copy, so that this message can be deleted. @param task sends the message of this record instead */
  async resend(task?: TaskRecord): Promise<void> {
    await this.#queues.sendEnvelope(task === undefined ? this.envelope : envelopeOf(task), this.traceHeader);
  }
}
