import { Duration, type RemovalPolicy, Validations } from 'aws-cdk-lib';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as s3 from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import { PAYLOAD_PREFIX, TRANSCRIPT_PREFIX } from '../contract';

export interface PayloadBucketProps {
  readonly removalPolicy: RemovalPolicy;
  /** @default a key that S3 manages */
  readonly encryptionKey?: kms.IKey;
}

/**
 * A task's record expires so long after its end, its payloads so long after they were written. Between the two lie at most
 * the deadline of a task (7 days) and the time that queues keep its message (14 days); and S3 expires objects at the
 * midnight (UTC) after their age.
 */
const EXPIRY_MARGIN = Duration.days(7 + 14 + 1);

/**
 * Bucket for what is too large for an item, and for recorded model calls. Not versioned: every object is written once,
 * under a key of its own, so a version would keep nothing but what expiry is to take away.
 */
export class PayloadBucket extends s3.Bucket {
  constructor(scope: Construct, id: string, props: PayloadBucketProps) {
    super(scope, id, {
      ...(props.encryptionKey === undefined
        ? { encryption: s3.BucketEncryption.S3_MANAGED }
        : {
            encryption: s3.BucketEncryption.KMS,
            encryptionKey: props.encryptionKey,
            // One data key for many objects: else every payload costs a call to KMS.
            bucketKeyEnabled: true,
          }),
      enforceSSL: true,
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      versioned: false,
      lifecycleRules: [{ id: 'unfinished-uploads', abortIncompleteMultipartUploadAfter: Duration.days(1) }],
      // CloudFormation refuses to delete a bucket that holds objects. Emptying it first would take a function that may
      // delete every object; a person does it, or their expiry.
      removalPolicy: props.removalPolicy,
    });
    Validations.of(this).acknowledge({
      id: 'AwsSolutions-S1',
      reason:
        'Only functions of this stack, each with a role of its own, and principals with an explicit grant may read it, and every task is accounted for in the tasks table; access logs would be a second copy of all task ids in another bucket. Whoever must prove object access records it with CloudTrail data events (https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-s3-info.html), or hands in a bucket with access logs as payloads of the AgentStore',
    });
  }

  /** @param transcripts without it, what was ever recorded stays */
  expire(tasks: Duration, transcripts: Duration | undefined): void {
    this.addLifecycleRule({ id: 'tasks', prefix: PAYLOAD_PREFIX, expiration: tasks.plus(EXPIRY_MARGIN) });
    if (transcripts !== undefined) {
      this.addLifecycleRule({ id: 'transcripts', prefix: TRANSCRIPT_PREFIX, expiration: transcripts });
    }
  }
}
