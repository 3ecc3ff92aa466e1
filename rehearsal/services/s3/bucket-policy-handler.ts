import { z } from 'zod';
import type { IamPort } from '../../core/ports';
import { cfnPolicyDocument, readProperties } from '../../core/properties';
import {
  type ResourceDeleteRequest,
  ResourceFailure,
  type ResourceHandler,
  type ResourceOutcome,
  type ResourceRequest,
} from '../../core/resource';
import { bucketArn } from './arn';
import type { Buckets } from './buckets';

const propertiesSchema = z.strictObject({ Bucket: z.string(), PolicyDocument: cfnPolicyDocument });

/** A bucket has one policy: a second one takes its place. */
const POLICY = 'bucket policy';

/** `AWS::S3::BucketPolicy`: hands the document to IAM, which judges calls on the bucket and its objects by it. */
export class BucketPolicyHandler implements ResourceHandler {
  readonly #buckets: Buckets;
  readonly #iam: IamPort;
  readonly type = 'AWS::S3::BucketPolicy';
  readonly source =
    'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucketpolicy.html';
  readonly properties = Object.keys(propertiesSchema.shape);
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
    const { Bucket, PolicyDocument } = readProperties(this.type, propertiesSchema, request);
    if (!this.#buckets.has(Bucket)) {
      throw new ResourceFailure(`${this.type} at ${request.path}: Bucket: there is no bucket ${Bucket}`);
    }
    this.#iam.attachResourcePolicy(bucketArn(Bucket), POLICY, PolicyDocument);
    return { physicalId: Bucket, attributes: {} };
  }
}
