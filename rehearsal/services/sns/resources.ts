import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { physicalName } from '../../core/physical-name';
import { cfnPolicyDocument, cfnTags, readProperties } from '../../core/properties';
import {
  REHEARSAL_ACCOUNT,
  REHEARSAL_REGION,
  ResourceFailure,
  type ResourceHandler,
  type ResourceOutcome,
  type ResourceRequest,
} from '../../core/resource';
import type { Topics } from './model';

/** Protocols whose messages leave AWS: nothing leaves the rehearsal, so the message is only kept. */
const DELIVERED_OUTSIDE = ['email', 'email-json', 'sms', 'http', 'https'] as const;

const topicSchema = z.strictObject({
  DisplayName: z.string().optional(),
  KmsMasterKeyId: z.string().optional(),
  Tags: cfnTags.optional(),
  TopicName: z.string().optional(),
  TracingConfig: z.string().optional(),
});

const subscriptionSchema = z.strictObject({
  Endpoint: z.string().optional(),
  Protocol: z.enum(DELIVERED_OUTSIDE),
  TopicArn: z.string(),
});

const topicPolicySchema = z.strictObject({ PolicyDocument: cfnPolicyDocument, Topics: z.array(z.string()) });

/** `AWS::SNS::Topic` */
export function topicHandler(topics: Topics): ResourceHandler {
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
      return outcome(request, arn);
    },
    update: async (request) => outcome(request, request.physicalId),
    delete: async ({ physicalId }) => topics.delete(physicalId),
  };
}

/** `AWS::SNS::Subscription`. Nothing is delivered; a subscription of a function or a queue is refused by its protocol. */
export function subscriptionHandler(topics: Topics): ResourceHandler {
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

/** `AWS::SNS::TopicPolicy` */
export function topicPolicyHandler(topics: Topics): ResourceHandler {
  const type = 'AWS::SNS::TopicPolicy';
  const put = (request: ResourceRequest, id: string): ResourceOutcome => {
    const { PolicyDocument, Topics } = readProperties(type, topicPolicySchema, request);
    for (const topic of Topics) {
      topics.attachPolicy(topic, id, PolicyDocument);
    }
    return { physicalId: id, attributes: { Id: id } };
  };
  const detach = (topicArns: unknown, id: string, kept: ReadonlySet<string>) => {
    for (const topicArn of z.array(z.string()).parse(topicArns)) {
      if (!kept.has(topicArn)) topics.detachPolicy(topicArn, id);
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
      detach(request.previous.Topics, request.physicalId, new Set(request.properties.Topics as readonly string[]));
      return result;
    },
    delete: async ({ physicalId, properties }) => detach(properties.Topics, physicalId, new Set()),
  };
}
