import type { ReceivedMessage, SqsPort } from '../../core/ports';
import { md5OfAttributes } from './message-attributes';
import type { Delivery, Queue, ReceiveOptions } from './queue';
import type { Queues } from './queues';

/** What the rehearsal's Lambda needs of queues beyond {@link SqsPort}. */
export interface LambdaSqsPort extends SqsPort {
  /** Undefined when there is no such queue. */
  visibilityTimeoutSeconds(queueArn: string): number | undefined;
}

/** Messages that one receive gives at most. */
const MAX_PER_RECEIVE = 10;

/** The queues as services of the rehearsal use them, in process. */
export function createSqsPort(queues: Queues): LambdaSqsPort {
  const known = (queueArn: string): Queue => {
    const queue = queues.byArn(queueArn);
    if (queue === undefined) {
      throw new Error(`SQS: no queue ${queueArn}, expected one that the template created`);
    }
    return queue;
  };
  return {
    exists: (queueArn) => queues.byArn(queueArn) !== undefined,
    visibilityTimeoutSeconds: (queueArn) => queues.byArn(queueArn)?.settings.visibilityTimeoutSeconds,
    receiveInFlight: async (queueArn, max, signal) => {
      const options: ReceiveOptions = { max: Math.min(max, MAX_PER_RECEIVE), inFlightUntilReleased: true };
      const deliveries = await known(queueArn).receiveWaiting(options, Number.POSITIVE_INFINITY, signal);
      return deliveries.map(received);
    },
    // A queue that was deleted meanwhile has taken its messages with it.
    release: (queueArn, receiptHandle) => queues.byArn(queueArn)?.release(receiptHandle),
    delete: (queueArn, receiptHandle) => {
      queues.byArn(queueArn)?.delete(receiptHandle);
    },
    send: (queueArn, body, options = {}) =>
      known(queueArn).send({ body, ...options }, Buffer.byteLength(body)).messageId,
  };
}

function received(delivery: Delivery): ReceivedMessage {
  const { messageId, receiptHandle, body, md5OfBody, attributes, systemAttributes } = delivery;
  const md5OfMessageAttributes = md5OfAttributes(attributes);
  return {
    messageId,
    receiptHandle,
    body,
    md5OfBody,
    attributes: systemAttributes,
    messageAttributes: attributes,
    ...(md5OfMessageAttributes === undefined ? {} : { md5OfMessageAttributes }),
  };
}
