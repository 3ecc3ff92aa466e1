import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { RehearsalClock } from '../../core/clock';
import { physicalName } from '../../core/physical-name';
import type { IamPort, SnsPort } from '../../core/ports';
import type { Principal } from '../../core/principal';
import { cfnPolicyDocument, cfnTags, readProperties } from '../../core/properties';
import {
  REHEARSAL_ACCOUNT,
  REHEARSAL_REGION,
  ResourceFailure,
  type ResourceHandler,
  type ResourceOutcome,
  type ResourceRequest,
} from '../../core/resource';
import { type RehearsalService, ServiceError } from '../../core/service';

export interface PublishedMessage {
  readonly messageId: string;
  readonly topicArn: string;
  readonly subject: string | undefined;
  readonly message: string;
  /** Cloud time. */
  readonly publishedAt: number;
}

export interface SnsDeps {
  readonly clock: RehearsalClock;
  readonly iam: IamPort;
}

export interface Sns extends SnsPort {
  readonly service: RehearsalService;
  readonly handlers: readonly ResourceHandler[];
  /** Everything published so far, oldest first. */
  messages(topicArn?: string): readonly PublishedMessage[];
  stop(): Promise<void>;
}

/** Subscriptions through which a person or a far end is told: nothing leaves the rehearsal, the message is kept. */
const TOLD_ELSEWHERE = ['email', 'email-json', 'sms', 'http', 'https'] as const;

const topicSchema = z.strictObject({
  DisplayName: z.string().optional(),
  KmsMasterKeyId: z.string().optional(),
  Tags: cfnTags.optional(),
  TopicName: z.string().optional(),
  TracingConfig: z.string().optional(),
});

const subscriptionSchema = z.strictObject({
  Endpoint: z.string().optional(),
  Protocol: z.enum(TOLD_ELSEWHERE),
  TopicArn: z.string(),
});

const topicPolicySchema = z.strictObject({ PolicyDocument: cfnPolicyDocument, Topics: z.array(z.string()) });

const publishSchema = z.strictObject({
  TopicArn: z.string(),
  Message: z.string().min(1),
  Subject: z.string().optional(),
});

/**
 * SNS: topics, subscriptions, topic policies, Publish. Messages are kept for inspection, not delivered; a subscription
 * of a function or a queue is refused by name.
 * https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
 */
export function createSns({ clock, iam }: SnsDeps): Sns {
  const topics = new Set<string>();
  const published: PublishedMessage[] = [];

  function keep(topicArn: string, subject: string | undefined, message: string): string {
    if (!topics.has(topicArn)) throw new ServiceError('NotFound', 'Topic does not exist', 404);
    const messageId = randomUUID();
    published.push({ messageId, topicArn, subject, message, publishedAt: clock.now() });
    return messageId;
  }

  return {
    messages: (topicArn) => published.filter((one) => topicArn === undefined || one.topicArn === topicArn),
    publish: (topicArn, subject, message, invoker) => {
      if (invoker !== undefined) {
        const principal: Principal = { kind: 'service', arn: invoker.service, label: invoker.service };
        const decision = iam.decide(principal, {
          action: 'sns:Publish',
          resource: topicArn,
          conditions: {
            'aws:SourceAccount': [REHEARSAL_ACCOUNT],
            'aws:SourceOwner': [REHEARSAL_ACCOUNT],
            ...(invoker.sourceArn === undefined ? {} : { 'aws:SourceArn': [invoker.sourceArn] }),
          },
        });
        if (!decision.allowed) throw new ServiceError('AuthorizationError', decision.reason, 403);
      }
      keep(topicArn, subject, message);
    },
    handlers: [topicHandler(topics, iam), subscriptionHandler(topics), topicPolicyHandler(iam)],
    stop: async () => {},
    service: {
      signingName: 'sns',
      protocol: 'awsQuery',
      xmlNamespace: 'http://sns.amazonaws.com/doc/2010-03-31/',
      operations: ['Publish'],
      accessDeniedCode: 'AuthorizationError',
      authorize: ({ input }) => [{ action: 'sns:Publish', resource: String(input.TopicArn) }],
      handle: async ({ input }) => {
        const parsed = publishSchema.safeParse(input);
        if (!parsed.success) throw badPublish(parsed.error);
        const { TopicArn, Subject, Message } = parsed.data;
        return { MessageId: keep(TopicArn, Subject, Message) };
      },
    },
  };
}

function badPublish({ issues }: z.ZodError): ServiceError {
  const unknown = issues.flatMap((issue) => (issue.code === 'unrecognized_keys' ? issue.keys : []));
  if (unknown.length > 0) {
    return new ServiceError('NotRehearsable', `not rehearsable: sns.Publish with ${unknown.join(', ')}`, 501);
  }
  const parameters = issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
  return new ServiceError('InvalidParameter', `Invalid parameter: ${parameters}`);
}

function topicHandler(topics: Set<string>, iam: IamPort): ResourceHandler {
  const type = 'AWS::SNS::Topic';
  const outcome = (request: ResourceRequest, arn: string): ResourceOutcome => {
    readProperties(type, topicSchema, request);
    return { physicalId: arn, attributes: { TopicArn: arn, TopicName: arn.slice(arn.lastIndexOf(':') + 1) } };
  };
  return {
    type,
    source: 'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sns-topic.html',
    properties: Object.keys(topicSchema.shape),
    replaceOn: ['TopicName'],
    create: async (request) => {
      const { TopicName } = readProperties(type, topicSchema, request);
      const name = TopicName ?? physicalName(request.stack, request.logicalId, { maxLength: 256 });
      const arn = `arn:aws:sns:${REHEARSAL_REGION}:${REHEARSAL_ACCOUNT}:${name}`;
      topics.add(arn);
      attachDefaultPolicy(iam, arn);
      return outcome(request, arn);
    },
    update: async (request) => outcome(request, request.physicalId),
    delete: async ({ physicalId }) => {
      topics.delete(physicalId);
      iam.detachResourcePolicy(physicalId, DEFAULT_POLICY);
    },
  };
}

const DEFAULT_POLICY = 'default topic policy';

/**
 * The policy of a topic that was given none; a policy of one's own replaces it, and must then let services in.
 * https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
 */
function attachDefaultPolicy(iam: IamPort, topicArn: string): void {
  iam.attachResourcePolicy(topicArn, DEFAULT_POLICY, {
    Version: '2008-10-17',
    Statement: {
      Sid: '__default_statement_ID',
      Effect: 'Allow',
      Principal: { AWS: '*' },
      Action: ['sns:Publish'],
      Resource: topicArn,
      Condition: { StringEquals: { 'AWS:SourceOwner': REHEARSAL_ACCOUNT } },
    },
  });
}

function subscriptionHandler(topics: ReadonlySet<string>): ResourceHandler {
  const type = 'AWS::SNS::Subscription';
  const check = (request: ResourceRequest): string => {
    const { TopicArn } = readProperties(type, subscriptionSchema, request);
    if (!topics.has(TopicArn))
      throw new ResourceFailure(`${type} at ${request.path}: topic ${TopicArn} does not exist`);
    return TopicArn;
  };
  return {
    type,
    source: 'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sns-subscription.html',
    properties: Object.keys(subscriptionSchema.shape),
    replaceOn: ['Endpoint', 'Protocol', 'TopicArn'],
    create: async (request) => ({ physicalId: `${check(request)}:${randomUUID()}`, attributes: {} }),
    update: async (request) => {
      check(request);
      return { physicalId: request.physicalId, attributes: {} };
    },
    delete: async () => {},
  };
}

function topicPolicyHandler(iam: IamPort): ResourceHandler {
  const type = 'AWS::SNS::TopicPolicy';
  const put = (request: ResourceRequest, id: string): ResourceOutcome => {
    const { PolicyDocument, Topics } = readProperties(type, topicPolicySchema, request);
    for (const topic of Topics) {
      iam.attachResourcePolicy(topic, id, PolicyDocument);
      iam.detachResourcePolicy(topic, DEFAULT_POLICY);
    }
    return { physicalId: id, attributes: { Id: id } };
  };
  const take = (topics: unknown, id: string, kept: ReadonlySet<string>) => {
    for (const topic of z.array(z.string()).parse(topics)) {
      if (kept.has(topic)) continue;
      iam.detachResourcePolicy(topic, id);
      attachDefaultPolicy(iam, topic);
    }
  };
  return {
    type,
    source: 'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sns-topicpolicy.html',
    properties: Object.keys(topicPolicySchema.shape),
    replaceOn: [],
    create: async (request) => put(request, physicalName(request.stack, request.logicalId, { maxLength: 128 })),
    update: async (request) => {
      const result = put(request, request.physicalId);
      take(request.previous.Topics, request.physicalId, new Set(request.properties.Topics as readonly string[]));
      return result;
    },
    delete: async ({ physicalId, properties }) => take(properties.Topics, physicalId, new Set()),
  };
}
