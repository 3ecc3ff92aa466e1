import { Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { ILaneQueues } from './lane-queues';

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
