import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { IamPort } from '../../core/ports';
import { ResourceFailure, type ResourceHandler, type ResourceOutcome, type ResourceRequest } from '../../core/resource';
import { queueArn, queueNameOfUrl } from './arn';

const propertiesSchema = z.object({ PolicyDocument: z.unknown(), Queues: z.array(z.string()).min(1) });

/** `AWS::SQS::QueuePolicy`: hands the document to IAM, which judges calls on the queue by it. */
export class QueuePolicyHandler implements ResourceHandler {
  readonly type = 'AWS::SQS::QueuePolicy';
  readonly source =
    'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sqs-queuepolicy.html';
  readonly properties = ['PolicyDocument', 'Queues'];
  readonly replaceOn = [];

  constructor(private readonly iam: IamPort) {}

  async create(request: ResourceRequest): Promise<ResourceOutcome> {
    return this.attach(request, `${request.logicalId}-${randomUUID().slice(0, 8)}`);
  }

  async update(
    request: ResourceRequest & { readonly physicalId: string; readonly previous: Readonly<Record<string, unknown>> },
  ): Promise<ResourceOutcome> {
    this.detach(request.physicalId, request.previous);
    return this.attach(request, request.physicalId);
  }

  async delete(request: {
    readonly physicalId: string;
    readonly properties: Readonly<Record<string, unknown>>;
  }): Promise<void> {
    this.detach(request.physicalId, request.properties);
  }

  private attach(request: ResourceRequest, physicalId: string): ResourceOutcome {
    const parsed = propertiesSchema.safeParse(request.properties);
    if (!parsed.success) {
      const reasons = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
      throw new ResourceFailure(`${request.path}: AWS::SQS::QueuePolicy: ${reasons.join('; ')}`);
    }
    for (const arn of queueArns(parsed.data.Queues)) {
      this.iam.attachResourcePolicy(arn, physicalId, parsed.data.PolicyDocument);
    }
    return { physicalId, attributes: { Id: physicalId } };
  }

  private detach(physicalId: string, properties: Readonly<Record<string, unknown>>): void {
    const parsed = propertiesSchema.safeParse(properties);
    for (const arn of parsed.success ? queueArns(parsed.data.Queues) : []) {
      this.iam.detachResourcePolicy(arn, physicalId);
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
