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
import { queueArn, queueNameOfUrl } from './model';
import { DEFAULT_SETTINGS, type Queue, type QueueSettings } from './queue';
import type { Queues } from './queues';

const integer = (min: number, max: number) => cfnNumber.pipe(z.number().int().min(min).max(max)).optional();

/** A policy comes as an object, or as the same in JSON text. */
const fromText = (value: unknown, context: z.RefinementCtx): unknown => {
  if (typeof value !== 'string') {
    return value;
  }
  try {
    return JSON.parse(value);
  } catch {
    context.addIssue({ code: 'custom', message: `got "${value}", expected an object or JSON text` });
    return z.NEVER;
  }
};

const queueSchema = z.strictObject({
  QueueName: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,80}$/, 'expected a standard queue: 1 to 80 letters, digits, hyphens, underscores')
    .optional(),
  DelaySeconds: integer(0, 900),
  MaximumMessageSize: integer(1024, 1_048_576),
  MessageRetentionPeriod: integer(60, 1_209_600),
  ReceiveMessageWaitTimeSeconds: integer(0, 20),
  VisibilityTimeout: integer(0, 43_200),
  RedrivePolicy: z
    .preprocess(
      fromText,
      z.strictObject({
        deadLetterTargetArn: z.string().startsWith('arn:'),
        maxReceiveCount: cfnNumber.pipe(z.number().int().min(1).max(1000)),
      }),
    )
    .optional(),
  RedriveAllowPolicy: z
    .preprocess(
      fromText,
      z.strictObject({
        redrivePermission: z.enum(['allowAll', 'denyAll', 'byQueue']),
        sourceQueueArns: z.array(z.string()).optional(),
      }),
    )
    .optional(),
  KmsMasterKeyId: z.string().optional(),
  KmsDataKeyReusePeriodSeconds: integer(60, 86_400),
  SqsManagedSseEnabled: cfnBoolean.optional(),
  Tags: cfnTags.optional(),
});

/**
 * `AWS::SQS::Queue`, standard queues. Encryption and tags are accepted and have no effect but the permissions that the
 * use of a key needs. The redrive allow policy is
 * not enforced.
 */
export class QueueHandler implements ResourceHandler {
  readonly #queues: Queues;
  readonly type = 'AWS::SQS::Queue';
  readonly source =
    'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sqs-queue.html';
  readonly properties = Object.keys(queueSchema.shape);
  readonly replaceOn = ['QueueName'];

  constructor(queues: Queues) {
    this.#queues = queues;
  }

  async create(request: ResourceRequest): Promise<ResourceOutcome> {
    const settings = this.#settings(request);
    const given = request.properties.QueueName;
    const name = typeof given === 'string' ? given : physicalName(request.stack, request.logicalId, { maxLength: 80 });
    if (this.#queues.has(name)) {
      throw new ResourceFailure(`Resource of type 'AWS::SQS::Queue' with identifier '${name}' already exists.`);
    }
    return this.#outcome(this.#queues.create(name, settings));
  }

  async update(request: ResourceUpdateRequest): Promise<ResourceOutcome> {
    const settings = this.#settings(request);
    const queue = this.#queues.atUrl(request.physicalId);
    queue.change(settings);
    return this.#outcome(queue);
  }

  async delete(request: ResourceDeleteRequest): Promise<void> {
    const name = queueNameOfUrl(request.physicalId);
    if (name !== undefined) {
      this.#queues.delete(name);
    }
  }

  #settings(request: ResourceRequest): QueueSettings {
    const properties = readProperties(this.type, queueSchema, request);
    const target = properties.RedrivePolicy?.deadLetterTargetArn;
    if (target !== undefined && this.#queues.byArn(target) === undefined) {
      throw new ResourceFailure(
        `Value {"deadLetterTargetArn":"${target}"} for parameter RedrivePolicy is invalid. Reason: Dead letter target does not exist.`,
      );
    }
    return {
      delaySeconds: properties.DelaySeconds ?? DEFAULT_SETTINGS.delaySeconds,
      maximumMessageSize: properties.MaximumMessageSize ?? DEFAULT_SETTINGS.maximumMessageSize,
      messageRetentionSeconds: properties.MessageRetentionPeriod ?? DEFAULT_SETTINGS.messageRetentionSeconds,
      receiveWaitSeconds: properties.ReceiveMessageWaitTimeSeconds ?? DEFAULT_SETTINGS.receiveWaitSeconds,
      visibilityTimeoutSeconds: properties.VisibilityTimeout ?? DEFAULT_SETTINGS.visibilityTimeoutSeconds,
      redrive: properties.RedrivePolicy,
      // A key of the account is a matter of permissions; the key that AWS manages needs none.
      ...(properties.KmsMasterKeyId?.startsWith('arn:') ? { kmsKeyArn: properties.KmsMasterKeyId } : {}),
    };
  }

  #outcome(queue: Queue): ResourceOutcome {
    const url = this.#queues.urlOf(queue);
    return { physicalId: url, attributes: { Arn: queue.arn, QueueName: queue.name, QueueUrl: url } };
  }
}

const queuePolicySchema = z.strictObject({ PolicyDocument: cfnPolicyDocument, Queues: z.array(z.string()).min(1) });

/** `AWS::SQS::QueuePolicy`: passes the document to IAM, which authorizes calls on the queue with it. */
export class QueuePolicyHandler implements ResourceHandler {
  readonly #iam: IamPort;
  readonly type = 'AWS::SQS::QueuePolicy';
  readonly source =
    'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sqs-queuepolicy.html';
  readonly properties = Object.keys(queuePolicySchema.shape);
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
    const properties = readProperties(this.type, queuePolicySchema, request);
    for (const arn of queueArns(properties.Queues)) {
      this.#iam.attachResourcePolicy(arn, physicalId, properties.PolicyDocument);
    }
    return { physicalId, attributes: { Id: physicalId } };
  }

  #detach(physicalId: string, properties: Readonly<Record<string, unknown>>): void {
    const parsed = queuePolicySchema.safeParse(properties);
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
