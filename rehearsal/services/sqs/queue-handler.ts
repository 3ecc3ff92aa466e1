import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { ResourceFailure, type ResourceHandler, type ResourceOutcome, type ResourceRequest } from '../../core/resource';
import { DEFAULT_SETTINGS, type Queue, type QueueSettings } from './queue';
import type { Queues } from './queues';

const integer = (min: number, max: number) => z.coerce.number().int().min(min).max(max).optional();

const redrivePolicy = z.preprocess(
  (value) => (typeof value === 'string' ? JSON.parse(value) : value),
  z.strictObject({
    deadLetterTargetArn: z.string().startsWith('arn:'),
    maxReceiveCount: z.coerce.number().int().min(1).max(1000),
  }),
);

const propertiesSchema = z.object({
  QueueName: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,80}$/, 'expected a standard queue: 1 to 80 letters, digits, hyphens, underscores')
    .optional(),
  DelaySeconds: integer(0, 900),
  MaximumMessageSize: integer(1024, 1_048_576),
  MessageRetentionPeriod: integer(60, 1_209_600),
  ReceiveMessageWaitTimeSeconds: integer(0, 20),
  VisibilityTimeout: integer(0, 43_200),
  RedrivePolicy: redrivePolicy.optional(),
  KmsMasterKeyId: z.string().optional(),
});

/** `AWS::SQS::Queue`, standard queues. Encryption and tags are accepted and have no effect but the key's permissions. */
export class QueueHandler implements ResourceHandler {
  readonly type = 'AWS::SQS::Queue';
  readonly source =
    'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sqs-queue.html';
  readonly properties = [
    'QueueName',
    'DelaySeconds',
    'MaximumMessageSize',
    'MessageRetentionPeriod',
    'ReceiveMessageWaitTimeSeconds',
    'VisibilityTimeout',
    'RedrivePolicy',
    'RedriveAllowPolicy',
    'KmsMasterKeyId',
    'KmsDataKeyReusePeriodSeconds',
    'SqsManagedSseEnabled',
    'Tags',
  ];
  readonly replaceOn = ['QueueName'];

  constructor(private readonly queues: Queues) {}

  async create(request: ResourceRequest): Promise<ResourceOutcome> {
    const properties = this.parse(request);
    const name = properties.QueueName ?? physicalName(request);
    if (this.queues.has(name)) {
      throw new ResourceFailure(`Resource of type 'AWS::SQS::Queue' with identifier '${name}' already exists.`);
    }
    return this.outcome(this.queues.create(name, settingsOf(properties)));
  }

  async update(request: ResourceRequest & { readonly physicalId: string }): Promise<ResourceOutcome> {
    const properties = this.parse(request);
    const queue = this.queues.atUrl(request.physicalId);
    queue.settings = settingsOf(properties);
    queue.settingsChanged();
    return this.outcome(queue);
  }

  async delete(request: { readonly physicalId: string }): Promise<void> {
    const name = request.physicalId.split('/').at(-1) ?? '';
    this.queues.delete(name);
  }

  private parse(request: ResourceRequest): z.infer<typeof propertiesSchema> {
    const parsed = propertiesSchema.safeParse(request.properties);
    if (!parsed.success) {
      const reasons = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
      throw new ResourceFailure(`${request.path}: AWS::SQS::Queue: ${reasons.join('; ')}`);
    }
    return parsed.data;
  }

  private outcome(queue: Queue): ResourceOutcome {
    const url = this.queues.urlOf(queue);
    return { physicalId: url, attributes: { Arn: queue.arn, QueueName: queue.name, QueueUrl: url } };
  }
}

function settingsOf(properties: z.infer<typeof propertiesSchema>): QueueSettings {
  return {
    delaySeconds: properties.DelaySeconds ?? DEFAULT_SETTINGS.delaySeconds,
    maximumMessageSize: properties.MaximumMessageSize ?? DEFAULT_SETTINGS.maximumMessageSize,
    messageRetentionSeconds: properties.MessageRetentionPeriod ?? DEFAULT_SETTINGS.messageRetentionSeconds,
    receiveWaitSeconds: properties.ReceiveMessageWaitTimeSeconds ?? DEFAULT_SETTINGS.receiveWaitSeconds,
    visibilityTimeoutSeconds: properties.VisibilityTimeout ?? DEFAULT_SETTINGS.visibilityTimeoutSeconds,
    ...(properties.RedrivePolicy === undefined ? {} : { redrive: properties.RedrivePolicy }),
    // A key of the account is a matter of permissions; the key that AWS manages needs none.
    ...(properties.KmsMasterKeyId?.startsWith('arn:') ? { kmsKeyArn: properties.KmsMasterKeyId } : {}),
  };
}

/** Stack, logical id and a random part, as CloudFormation names queues. */
function physicalName(request: ResourceRequest): string {
  const random = randomBytes(6).toString('hex');
  return `${request.stack.stackName.slice(0, 32)}-${request.logicalId.slice(0, 32)}-${random}`;
}
