import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { RECEIVE_ACTIONS, RECEIVE_KEY_ACTIONS, SEND_ACTIONS, SEND_KEY_ACTIONS } from './perms';

/** Lets the grantee send to a queue, and use its key if it has one. No attributes, no URL look-up. */
export function grantSend(queue: IQueue, grantee: IGrantable): Grant {
  return grantOnQueue(queue, grantee, SEND_ACTIONS, SEND_KEY_ACTIONS);
}

/** Lets the grantee poll a queue, and use its key if it has one. No attributes, no URL look-up. */
export function grantReceive(queue: IQueue, grantee: IGrantable): Grant {
  return grantOnQueue(queue, grantee, RECEIVE_ACTIONS, RECEIVE_KEY_ACTIONS);
}

function grantOnQueue(queue: IQueue, grantee: IGrantable, actions: string[], keyActions: string[]): Grant {
  const grant = Grant.addToPrincipal({ grantee, actions, resourceArns: [queue.queueArn] });
  const keyGrant = queue.encryptionMasterKey?.grant(grantee, ...keyActions);
  return keyGrant === undefined ? grant : grant.combine(keyGrant);
}
