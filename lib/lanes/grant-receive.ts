import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { RECEIVE_ACTIONS, RECEIVE_KEY_ACTIONS } from './perms';

/** Lets somebody poll a queue, and use its key if it has one. No attributes, no URL look-up. */
export function grantReceive(queue: IQueue, grantee: IGrantable): Grant {
  const grant = Grant.addToPrincipal({ grantee, actions: RECEIVE_ACTIONS, resourceArns: [queue.queueArn] });
  const keyGrant = queue.encryptionMasterKey?.grant(grantee, ...RECEIVE_KEY_ACTIONS);
  return keyGrant === undefined ? grant : grant.combine(keyGrant);
}
