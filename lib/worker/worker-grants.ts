import type { IGrantable } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import type { ILaneQueues } from '../lanes';
import { grantSend } from '../lanes/lane-grants';
import { grantLimits, grantSpend, grantWorker, grantWriteTranscripts } from '../state/store-grants';
import type { WorkerContext } from './worker-context';

/** Lets a worker, whatever it runs on, do what the service asks of it; its queues aside. */
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
 * A worker sends, too: a fresh copy of a task that it hands back (to the other lane, if its release was revoked) or whose
 * message has been received too often, and a task that failed at its last attempt.
 */
export function grantRequeue(lane: ILaneQueues, grantee: IGrantable): void {
  for (const queue of [lane.high, lane.normal, lane.low, lane.deadLetterQueue]) {
    grantSend(queue, grantee);
  }
}
