import type * as sqs from 'aws-cdk-lib/aws-sqs';
import type { IConstruct } from 'constructs';

/** What a worker needs to know of the lane that it serves. */
export interface ILaneQueues {
  /** `stable` or `candidate`: the name of the alias that carries the lane's release. */
  readonly laneName: string;
  readonly high: sqs.IQueue;
  readonly normal: sqs.IQueue;
  readonly low: sqs.IQueue;
  /** Receives after which a message goes to the dead-letter queue. */
  readonly maxReceiveCount: number;
}

/** A worker attached to a lane. */
export interface LaneAttachment {
  /**
   * What carries the release: the lane meets a new release when this is updated. Make it depend on whatever must come
   * before.
   */
  readonly alias: IConstruct;
  /** What takes tasks from the lane's queues. Depend on these to be sure that the lane works. */
  readonly mappings: IConstruct[];
}
