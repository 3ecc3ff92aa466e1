import type * as sqs from 'aws-cdk-lib/aws-sqs';

/** What a worker needs to know of the lane that it serves. */
export interface ILaneQueues {
  /** `stable` or `candidate`: the name of the alias that carries the lane's release. */
  readonly laneName: string;
  readonly high: sqs.IQueue;
  readonly normal: sqs.IQueue;
  readonly low: sqs.IQueue;
  /** Where tasks end that failed at their last attempt. */
  readonly deadLetterQueue: sqs.IQueue;
  /** Receives after which SQS moves a message to the dead-letter queue. */
  readonly maxReceiveCount: number;
}
