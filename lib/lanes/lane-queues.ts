import { Stack } from 'aws-cdk-lib';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';

/** The two lanes of an agent. The value is also the alias of the worker and the value of the metric dimension. */
export enum AgentLane {
  /** Serves all users outside rollouts. */
  STABLE = 'stable',
  /** Serves, during a rollout, the users for whom the valve is open; idle otherwise. */
  CANDIDATE = 'candidate',
}

/** The queues of a lane, as the worker that serves it needs them. */
export interface ILaneQueues {
  /** Value of {@link AgentLane}: the name of the alias that carries the lane's release. */
  readonly laneName: string;
  /** Queue of urgent tasks. */
  readonly high: IQueue;
  /** Queue of tasks that are neither urgent nor bulk. */
  readonly normal: IQueue;
  /** Queue of bulk work. */
  readonly low: IQueue;
  /** Holds tasks that failed at their last attempt, and messages that were received too often. */
  readonly deadLetterQueue: IQueue;
  /** Receives after which SQS moves a message to the dead-letter queue. */
  readonly maxReceiveCount: number;
}

/** Value of `Env.QUEUES`. */
export function queueUrls(scope: Construct, lanes: readonly ILaneQueues[]): string {
  return Stack.of(scope).toJsonString(
    Object.fromEntries(
      lanes.map(({ laneName, high, normal, low }) => [
        laneName,
        { high: high.queueUrl, normal: normal.queueUrl, low: low.queueUrl },
      ]),
    ),
  );
}

/** Value of `Env.DEAD_LETTER_QUEUES`. */
export function deadLetterUrls(scope: Construct, lanes: readonly ILaneQueues[]): string {
  return Stack.of(scope).toJsonString(
    Object.fromEntries(lanes.map(({ laneName, deadLetterQueue }) => [laneName, deadLetterQueue.queueUrl])),
  );
}
