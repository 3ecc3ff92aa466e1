import { z } from 'zod';
import { physicalName } from '../../core/physical-name';
import type { IamPort } from '../../core/ports';
import { cfnBoolean, cfnNumber, cfnPolicyDocument, cfnTags, readProperties } from '../../core/properties';
import {
  type ResourceDeleteRequest,
  ResourceFailure,
  type ResourceHandler,
  type ResourceOutcome,
  type ResourceRequest,
  type ResourceUpdateRequest,
} from '../../core/resource';
import { ServiceError } from '../../core/service';
import { type BucketSettings, type Buckets, bucketArn } from './model';

const lifecycleRule = z.strictObject({
  Id: z.string().optional(),
  Status: z.enum(['Enabled', 'Disabled']),
  Prefix: z.string().optional(),
  ExpirationInDays: cfnNumber.pipe(z.number().int().positive()).optional(),
  AbortIncompleteMultipartUpload: z.strictObject({ DaysAfterInitiation: cfnNumber }).optional(),
});

const bucketSchema = z.strictObject({
  BucketName: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'expected 3 to 63 lower case letters, digits, dots and hyphens')
    .optional(),
  BucketEncryption: z
    .strictObject({
      ServerSideEncryptionConfiguration: z
        .array(
          z.strictObject({
            BucketKeyEnabled: cfnBoolean.optional(),
            ServerSideEncryptionByDefault: z.strictObject({
              SSEAlgorithm: z.enum(['AES256', 'aws:kms']),
              KMSMasterKeyID: z.string().optional(),
            }),
          }),
        )
        .length(1),
    })
    .optional(),
  LifecycleConfiguration: z.strictObject({ Rules: z.array(lifecycleRule).min(1) }).optional(),
  OwnershipControls: z
    .strictObject({ Rules: z.array(z.strictObject({ ObjectOwnership: z.literal('BucketOwnerEnforced') })).length(1) })
    .optional(),
  PublicAccessBlockConfiguration: z
    .strictObject({
      BlockPublicAcls: cfnBoolean.optional(),
      BlockPublicPolicy: cfnBoolean.optional(),
      IgnorePublicAcls: cfnBoolean.optional(),
      RestrictPublicBuckets: cfnBoolean.optional(),
    })
    .optional(),
  Tags: cfnTags.optional(),
});

/**
 * `AWS::S3::Bucket` without versions, website and notifications. Encryption has no effect but the permissions that the
 * use of a key needs; lifecycle rules are accepted and nothing expires: a rehearsal is over before a day has passed.
 */
export class BucketHandler implements ResourceHandler {
  readonly #buckets: Buckets;
  readonly type = 'AWS::S3::Bucket';
  readonly source =
    'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucket.html';
  readonly properties = Object.keys(bucketSchema.shape);
  readonly replaceOn = ['BucketName'];

  constructor(buckets: Buckets) {
    this.#buckets = buckets;
  }

  async create(request: ResourceRequest): Promise<ResourceOutcome> {
    const { name: given, settings } = this.#read(request);
    const name = given ?? physicalName(request.stack, request.logicalId, { maxLength: 63, lowerCase: true });
    if (this.#buckets.has(name)) {
      throw new ResourceFailure(`Resource of type 'AWS::S3::Bucket' with identifier '${name}' already exists.`);
    }
    this.#buckets.create(name, settings);
    return bucketOutcome(name, request);
  }

  async update(request: ResourceUpdateRequest): Promise<ResourceOutcome> {
    this.#buckets.change(request.physicalId, this.#read(request).settings);
    return bucketOutcome(request.physicalId, request);
  }

  /** @throws ResourceFailure for a bucket that is not empty, as CloudFormation fails */
  async delete({ physicalId }: ResourceDeleteRequest): Promise<void> {
    try {
      this.#buckets.delete(physicalId);
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      throw new ResourceFailure(`${error.message} (Service: S3, Status Code: ${error.status}): ${physicalId}`);
    }
  }

  #read(request: ResourceRequest): { readonly name: string | undefined; readonly settings: BucketSettings } {
    const { BucketName, BucketEncryption } = readProperties(this.type, bucketSchema, request);
    const key =
      BucketEncryption?.ServerSideEncryptionConfiguration[0]?.ServerSideEncryptionByDefault.KMSMasterKeyID ?? '';
    // A key of the account is a matter of permissions; the keys of S3 and AWS need none.
    return { name: BucketName, settings: key.startsWith('arn:') ? { kmsKeyArn: key } : {} };
  }
}

function bucketOutcome(name: string, { stack }: Pick<ResourceRequest, 'stack'>): ResourceOutcome {
  return {
    physicalId: name,
    attributes: {
      Arn: bucketArn(name),
      DomainName: `${name}.s3.amazonaws.com`,
      DualStackDomainName: `${name}.s3.dualstack.${stack.region}.amazonaws.com`,
      RegionalDomainName: `${name}.s3.${stack.region}.amazonaws.com`,
      WebsiteURL: `http://${name}.s3-website-${stack.region}.amazonaws.com`,
    },
  };
}

const bucketPolicySchema = z.strictObject({ Bucket: z.string(), PolicyDocument: cfnPolicyDocument });

/** A bucket has one policy: a second one takes its place. */
const POLICY = 'bucket policy';

/** `AWS::S3::BucketPolicy`: passes the document to IAM, which authorizes calls on the bucket and its objects with it. */
export class BucketPolicyHandler implements ResourceHandler {
  readonly #buckets: Buckets;
  readonly #iam: IamPort;
  readonly type = 'AWS::S3::BucketPolicy';
  readonly source =
    'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucketpolicy.html';
  readonly properties = Object.keys(bucketPolicySchema.shape);
  readonly replaceOn = ['Bucket'];

  constructor(buckets: Buckets, iam: IamPort) {
    this.#buckets = buckets;
    this.#iam = iam;
  }

  async create(request: ResourceRequest): Promise<ResourceOutcome> {
    return this.#attach(request);
  }

  async update(request: ResourceRequest): Promise<ResourceOutcome> {
    return this.#attach(request);
  }

  async delete({ physicalId }: ResourceDeleteRequest): Promise<void> {
    this.#iam.detachResourcePolicy(bucketArn(physicalId), POLICY);
  }

  #attach(request: ResourceRequest): ResourceOutcome {
    const { Bucket, PolicyDocument } = readProperties(this.type, bucketPolicySchema, request);
    if (!this.#buckets.has(Bucket)) {
      throw new ResourceFailure(`${this.type} at ${request.path}: Bucket: there is no bucket ${Bucket}`);
    }
    this.#iam.attachResourcePolicy(bucketArn(Bucket), POLICY, PolicyDocument);
    return { physicalId: Bucket, attributes: {} };
  }
}
