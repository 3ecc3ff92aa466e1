import { CreateTopicCommand, PublishCommand, SNSClient } from '@aws-sdk/client-sns';
import { createSns, type Sns } from '../../../rehearsal/services/sns';
import { ManualClock } from '../../support/manual-clock';
import { Resource, type Rig, startRig } from '../api-server/support';

const ALARMS = {
  service: 'cloudwatch.amazonaws.com',
  sourceArn: 'arn:aws:cloudwatch:us-east-1:123456789012:alarm:cost',
};

let sns: Sns;
let rig: Rig;
let topicArn: string;

beforeEach(async () => {
  rig = await startRig((iam) => {
    sns = createSns({ clock: new ManualClock(5_000), iam });
    return [sns.service];
  });
  ({ physicalId: topicArn } = await Resource.of(sns.handlers, 'AWS::SNS::Topic', 'Warnings').create({}));
});
afterEach(() => rig.stop());

const publish = (Subject = 'Subject & more', Message = '<line>\nother + "quoted"') =>
  new PublishCommand({ TopicArn: topicArn, Subject, Message });

test('a topic is referred to by its ARN', async () => {
  const topic = await Resource.of(sns.handlers, 'AWS::SNS::Topic').create({ TopicName: 'named' });
  expect(topic).toEqual({
    physicalId: 'arn:aws:sns:us-east-1:123456789012:named',
    attributes: { TopicArn: 'arn:aws:sns:us-east-1:123456789012:named', TopicName: 'named' },
  });
});

test('what is published is kept, with the cloud time', async () => {
  const settings = rig.role('publisher', { Effect: 'Allow', Action: 'sns:Publish', Resource: topicArn });
  const { MessageId } = await new SNSClient(settings).send(publish());
  expect(sns.messages()).toEqual([
    {
      messageId: MessageId,
      topicArn,
      subject: 'Subject & more',
      message: '<line>\nother + "quoted"',
      publishedAt: 5_000,
    },
  ]);
});

test('refuses a publisher without permission, with the code of SNS', async () => {
  await expect(new SNSClient(rig.role('unprivileged')).send(publish())).rejects.toMatchObject({
    name: 'AuthorizationErrorException',
    message: expect.stringContaining(`sns:Publish on resource: ${topicArn}`),
    $metadata: { httpStatusCode: 403 },
  });
  expect(sns.messages(topicArn)).toEqual([]);
});

test('fails for a topic that does not exist', async () => {
  const call = new SNSClient(rig.operator).send(new PublishCommand({ TopicArn: `${topicArn}x`, Message: 'm' }));
  await expect(call).rejects.toMatchObject({ name: 'NotFoundException' });
});

test('refuses other operations, unknown parameters and an empty message', async () => {
  const client = new SNSClient(rig.operator);
  await expect(client.send(new CreateTopicCommand({ Name: 'x' }))).rejects.toThrow('not rehearsable: sns.CreateTopic');
  const filtered = { a: { DataType: 'String', StringValue: 'b' } };
  const attributes = new PublishCommand({ TopicArn: topicArn, Message: 'm', MessageAttributes: filtered });
  await expect(client.send(attributes)).rejects.toThrow('not rehearsable: sns.Publish with MessageAttributes');
  await expect(client.send(publish('s', ''))).rejects.toMatchObject({ name: 'InvalidParameterException' });
});

describe('topic policies', () => {
  const policy = () => Resource.of(sns.handlers, 'AWS::SNS::TopicPolicy', 'Policy');
  const document = (...Statement: object[]) => ({
    Topics: [topicArn],
    PolicyDocument: { Version: '2012-10-17', Statement },
  });
  const secureOnly = {
    Effect: 'Deny',
    Principal: '*',
    Action: 'sns:Publish',
    Resource: '*',
    Condition: { Bool: { 'aws:SecureTransport': 'false' } },
  };
  const alarmsMay = {
    Effect: 'Allow',
    Principal: { Service: 'cloudwatch.amazonaws.com' },
    Action: 'sns:Publish',
    Resource: '*',
    Condition: { ArnLike: { 'aws:SourceArn': 'arn:aws:cloudwatch:us-east-1:123456789012:alarm:*' } },
  };

  test('without one, alarms of the account may publish', () => {
    sns.publish(topicArn, 's', 'm', ALARMS);
    expect(sns.messages(topicArn)).toHaveLength(1);
  });

  test('one of its own replaces the default: alarms that it forgets are refused', async () => {
    const resource = policy();
    await resource.create(document(secureOnly));
    expect(() => sns.publish(topicArn, 's', 'm', ALARMS)).toThrow(
      'User: cloudwatch.amazonaws.com is not authorized to perform: sns:Publish',
    );
    await resource.update(document(secureOnly, alarmsMay));
    sns.publish(topicArn, 's', 'm', ALARMS);
    expect(() => sns.publish(topicArn, 's', 'm', { service: 'events.amazonaws.com' })).toThrow('not authorized');
  });

  test('when it goes the default is back', async () => {
    const resource = policy();
    await resource.create(document(secureOnly));
    await resource.delete();
    sns.publish(topicArn, 's', 'm', ALARMS);
    expect(sns.messages(topicArn)).toHaveLength(1);
  });
});

describe('subscriptions', () => {
  const subscription = () => Resource.of(sns.handlers, 'AWS::SNS::Subscription', 'Subscription');

  test('of people exist', async () => {
    const outcome = await subscription().create({ TopicArn: topicArn, Protocol: 'email', Endpoint: 'a@example.com' });
    expect(outcome.physicalId.startsWith(`${topicArn}:`)).toBe(true);
  });

  test('refuses a function as subscriber, and a topic that does not exist', async () => {
    const lambda = { TopicArn: topicArn, Protocol: 'lambda', Endpoint: 'arn' };
    await expect(subscription().create(lambda)).rejects.toThrow(
      /not rehearsable: AWS::SNS::Subscription at Test\/Subscription: Protocol/,
    );
    await expect(subscription().create({ TopicArn: 'none', Protocol: 'sms' })).rejects.toThrow(
      'topic none does not exist',
    );
  });
});
