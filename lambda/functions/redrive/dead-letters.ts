import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import type { LaneName } from '../../../lib/contract';

/**
 * A message that was read stays hidden from other readers for this time, unless it is released earlier: as long as an
 * invocation may take. The message is visible again afterwards, also if the invocation fails.
 */
export const HIDE_MS = 5 * 60_000;

/** Real milliseconds that it is hidden at least; see `scaleTimeout`. */
export const MIN_REAL_HIDE_MS = 10_000;

/** SQS asks all of its servers only when it may wait: without, messages would be overlooked. */
const WAIT_SECONDS = 2;

const BATCH = 10;

/** A message in a dead-letter queue, hidden from others. */
export interface DeadLetter {
  readonly lane: LaneName;
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly body: string;
}

/** The lanes' dead-letter queues. */
export class DeadLetters {
  readonly #client: SQSClient;
  readonly #urls: Readonly<Record<LaneName, string>>;
  /** Cloud time. */
  readonly #hideMs: number;

  constructor(client: SQSClient, urls: Readonly<Record<LaneName, string>>, hideMs: number = HIDE_MS) {
    this.#client = client;
    this.#urls = urls;
    this.#hideMs = hideMs;
  }

  /** Up to 10 messages, hidden from now on. Empty: there are no more. */
  async read(lane: LaneName): Promise<readonly DeadLetter[]> {
    const { Messages = [] } = await this.#client.send(
      new ReceiveMessageCommand({
        QueueUrl: this.#urls[lane],
        MaxNumberOfMessages: BATCH,
        VisibilityTimeout: Math.ceil(this.#hideMs / 1_000),
        WaitTimeSeconds: WAIT_SECONDS,
      }),
    );
    return Messages.map(({ Body = '', MessageId = '', ReceiptHandle = '' }) => ({
      lane,
      messageId: MessageId,
      receiptHandle: ReceiptHandle,
      body: Body,
    }));
  }

  async delete({ lane, receiptHandle }: DeadLetter): Promise<void> {
    await this.#client.send(new DeleteMessageCommand({ QueueUrl: this.#urls[lane], ReceiptHandle: receiptHandle }));
  }

  /** Makes messages visible again. One that is gone, or visible already, is none of our business any more. */
  async release(letters: readonly DeadLetter[], isOver: () => boolean): Promise<void> {
    const lanes = [...new Set(letters.map(({ lane }) => lane))];
    for (const lane of lanes) {
      const ofLane = letters.filter((letter) => letter.lane === lane);
      for (let start = 0; start < ofLane.length && !isOver(); start += BATCH) {
        await this.#client.send(
          new ChangeMessageVisibilityBatchCommand({
            QueueUrl: this.#urls[lane],
            Entries: ofLane.slice(start, start + BATCH).map(({ receiptHandle }, index) => ({
              Id: String(index),
              ReceiptHandle: receiptHandle,
              VisibilityTimeout: 0,
            })),
          }),
        );
      }
    }
  }

  /** Messages that cannot be read at the moment, because another reader holds them. Approximate. */
  async hidden(lane: LaneName): Promise<number> {
    const { Attributes } = await this.#client.send(
      new GetQueueAttributesCommand({
        QueueUrl: this.#urls[lane],
        AttributeNames: ['ApproximateNumberOfMessagesNotVisible'],
      }),
    );
    return Number(Attributes?.ApproximateNumberOfMessagesNotVisible ?? 0);
  }
}
