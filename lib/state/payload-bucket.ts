import { Duration, type RemovalPolicy, Validations } from 'aws-cdk-lib';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as s3 from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import { PAYLOAD_PREFIX, TRANSCRIPT_PREFIX } from '../contract';

/** Settings of a {@link PayloadBucket}. */
export interface PayloadBucketProps {
  /** What happens to the bucket when the stack is deleted. */
  readonly removalPolicy: RemovalPolicy;
  /** Key that encrypts the objects. @default - a key that S3 manages */
  readonly encryptionKey?: kms.IKey;
}

/**
 * A task's record expires after the end of the task, its payloads after they were written. The difference is at most the
 * deadline of a task (7 days) and the retention of its message (14 days); and S3 expires objects at the midnight (UTC) after
 * their age.
 */
const EXPIRY_MARGIN = Duration.days(7 + 14 + 1);

/**
 * Bucket for payloads that are too large for an item, and for recorded model calls. Not versioned: every object is written
 * once, under its own key, so versions would only keep expired objects.
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
      // CloudFormation refuses to delete a bucket with objects. Emptying it would need a function with permission to delete
      // every object; an operator does it, or the lifecycle rules.
      removalPolicy: props.removalPolicy,
    });
    Validations.of(this).acknowledge({
      id: 'AwsSolutions-S1',
      reason:
        'Only functions of this stack, each with its own role, and principals with an explicit grant may read it, and the tasks table records every task; access logs would be a second copy of all task ids in another bucket. To audit object access, use CloudTrail data events (https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-s3-info.html), or pass a bucket with access logs as payloads of the AgentStore',
    });
  }

  /** @param transcripts undefined: recorded model calls stay until they are deleted by hand */
  expire(tasks: Duration, transcripts: Duration | undefined): void {
    this.addLifecycleRule({ id: 'tasks', prefix: PAYLOAD_PREFIX, expiration: tasks.plus(EXPIRY_MARGIN) });
    if (transcripts !== undefined) {
      this.addLifecycleRule({ id: 'transcripts', prefix: TRANSCRIPT_PREFIX, expiration: transcripts });
    }
  }
}
