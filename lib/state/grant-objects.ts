import * as iam from 'aws-cdk-lib/aws-iam';
import type * as s3 from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { acknowledgeWildcard } from '../common';
import { PAYLOAD_READ_KEY_ACTIONS, PAYLOAD_WRITE_KEY_ACTIONS, WRITE_PAYLOAD_ACTIONS } from './perms';

/** Lets somebody do something with the objects below a prefix, and use the bucket's key for it if it has one. */
export function grantOnObjects(
  bucket: s3.IBucket,
  prefix: string,
  grantee: iam.IGrantable,
  actions: string[],
): iam.Grant {
  const objects = bucket.arnForObjects(`${prefix}*`);
  const grant = iam.Grant.addToPrincipal({ grantee, actions, resourceArns: [objects] });
  if (Construct.isConstruct(grantee.grantPrincipal)) {
    acknowledgeWildcard(
      grantee.grantPrincipal,
      objects,
      `Objects are named by the ids of tasks, which are not known at synth; the prefix ${prefix} is all that is allowed of the bucket`,
    );
  }
  const writes = actions.some((action) => WRITE_PAYLOAD_ACTIONS.includes(action));
  const reads = actions.some((action) => !WRITE_PAYLOAD_ACTIONS.includes(action));
  const keyGrant = bucket.encryptionKey?.grant(
    grantee,
    ...(reads ? PAYLOAD_READ_KEY_ACTIONS : []),
    ...(writes ? PAYLOAD_WRITE_KEY_ACTIONS : []),
  );
  return keyGrant === undefined ? grant : grant.combine(keyGrant);
}
