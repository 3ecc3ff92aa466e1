import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { SEND_ACTIONS, SEND_KEY_ACTIONS } from './perms';

/** Lets somebody send to a queue, and use its key if it has one. No attributes, no URL look-up. */
export function grantSend(queue: IQueue, grantee: IGrantable): Grant {
  const grant = Grant.addToPrincipal({ grantee, actions: SEND_ACTIONS, resourceArns: [queue.queueArn] });
  const keyGrant = queue.encryptionMasterKey?.grant(grantee, ...SEND_KEY_ACTIONS);
  return keyGrant === undefined ? grant : grant.combine(keyGrant);
}
