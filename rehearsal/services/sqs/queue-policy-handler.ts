import { z } from 'zod';
import { physicalName } from '../../core/physical-name';
import type { IamPort } from '../../core/ports';
import { cfnPolicyDocument, readProperties } from '../../core/properties';
import {
  type ResourceDeleteRequest,
  ResourceFailure,
  type ResourceHandler,
  type ResourceOutcome,
  type ResourceRequest,
  type ResourceUpdateRequest,
} from '../../core/resource';
import { queueArn, queueNameOfUrl } from './arn';

const propertiesSchema = z.strictObject({ PolicyDocument: cfnPolicyDocument, Queues: z.array(z.string()).min(1) });

/** `AWS::SQS::QueuePolicy`: hands the document to IAM, which judges calls on the queue by it. */
export class QueuePolicyHandler implements ResourceHandler {
  readonly #iam: IamPort;
  readonly type = 'AWS::SQS::QueuePolicy';
  readonly source =
    'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sqs-queuepolicy.html';
  readonly properties = Object.keys(propertiesSchema.shape);
  readonly replaceOn = [];

  constructor(iam: IamPort) {
    this.#iam = iam;
  }

  async create(request: ResourceRequest): Promise<ResourceOutcome> {
    return this.#attach(request, physicalName(request.stack, request.logicalId, { maxLength: 128 }));
  }

  async update(request: ResourceUpdateRequest): Promise<ResourceOutcome> {
    this.#detach(request.physicalId, request.previous);
    return this.#attach(request, request.physicalId);
  }

  async delete(request: ResourceDeleteRequest): Promise<void> {
    this.#detach(request.physicalId, request.properties);
  }

  #attach(request: ResourceRequest, physicalId: string): ResourceOutcome {
    const properties = readProperties(this.type, propertiesSchema, request);
    for (const arn of queueArns(properties.Queues)) {
      this.#iam.attachResourcePolicy(arn, physicalId, properties.PolicyDocument);
    }
    return { physicalId, attributes: { Id: physicalId } };
  }

  #detach(physicalId: string, properties: Readonly<Record<string, unknown>>): void {
    const parsed = propertiesSchema.safeParse(properties);
    for (const arn of parsed.success ? queueArns(parsed.data.Queues) : []) {
      this.#iam.detachResourcePolicy(arn, physicalId);
    }
  }
}

function queueArns(urls: readonly string[]): readonly string[] {
  return urls.map((url) => {
    const name = queueNameOfUrl(url);
    if (name === undefined) {
      throw new ResourceFailure(`AWS::SQS::QueuePolicy: Queues: got "${url}", expected the URL of a queue`);
    }
    return queueArn(name);
  });
}
