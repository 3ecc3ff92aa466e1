import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { SEND_ACTIONS } from './perms';

/** Lets somebody send to a queue, and use its key if it has one. No attributes, no URL look-up. */
export function grantSend(queue: IQueue, grantee: IGrantable): Grant {
  const grant = Grant.addToPrincipal({ grantee, actions: SEND_ACTIONS, resourceArns: [queue.queueArn] });
  // SQS makes a data key for the message and opens it again for its own bookkeeping.
  return queue.encryptionMasterKey === undefined
    ? grant
    : grant.combine(queue.encryptionMasterKey.grantEncryptDecrypt(grantee));
}
