import type { IGrantable } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import type { ILaneQueues } from '../lanes';
import { grantSend } from '../lanes/lane-grants';
import { grantLimits, grantSpend, grantWorker, grantWriteTranscripts } from '../state/store-grants';
import type { WorkerContext } from './worker-context';

/** Permissions of a worker, on any compute, except for its queues. */
export function grantContract(worker: Construct, grantee: IGrantable, context: WorkerContext): void {
  const { release, store } = context;
  grantWorker(store, grantee);
  if (context.transcripts !== undefined) {
    grantWriteTranscripts(store, grantee);
  }
  if (context.webhookQueue !== undefined) {
    grantSend(context.webhookQueue, grantee);
  }
  if (context.rateLimits !== undefined) {
    grantLimits(store, grantee);
  }
  if (context.budgets !== undefined) {
    grantSpend(store, grantee);
  }
  context.flags?.grantRead(grantee);
  release.grantRead(grantee);
  for (const model of release.models) {
    model.grantInvoke(worker, grantee);
  }
  for (const secret of Object.values(context.secrets)) {
    secret.grantRead(grantee);
  }
}

/**
 * A worker sends messages as well: a copy of a task that it requeues (to the other lane, if its release was revoked) or whose
 * message was received too often, and a task that failed at its last attempt, to the dead-letter queue.
 */
export function grantRequeue(lane: ILaneQueues, grantee: IGrantable): void {
  for (const queue of [lane.high, lane.normal, lane.low, lane.deadLetterQueue]) {
    grantSend(queue, grantee);
  }
}
