import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { type DeadLetterQueue, Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';

/** Longest time that SQS keeps a message: a consumer that is down loses nothing sooner. */
export const MAX_MESSAGE_RETENTION = Duration.days(14);

/** Settings in which the library's queues differ. */
export interface CreateQueueOptions {
  /** @default - a key managed by SQS */
  readonly encryptionKey?: IKey;
  /** @default - the 30 seconds of SQS */
  readonly visibilityTimeout?: Duration;
  /** @default - messages that are never deleted expire after {@link MAX_MESSAGE_RETENTION} */
  readonly deadLetterQueue?: DeadLetterQueue;
}

/** A queue with encryption, TLS only, and the longest retention. */
export function createQueue(scope: Construct, id: string, options: CreateQueueOptions): Queue {
  const { encryptionKey } = options;
  return new Queue(scope, id, {
    encryption: encryptionKey === undefined ? QueueEncryption.SQS_MANAGED : QueueEncryption.KMS,
    encryptionMasterKey: encryptionKey,
    enforceSSL: true,
    retentionPeriod: MAX_MESSAGE_RETENTION,
    removalPolicy: RemovalPolicy.DESTROY,
    visibilityTimeout: options.visibilityTimeout,
    deadLetterQueue: options.deadLetterQueue,
  });
}
