import { Duration, type Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { AgentLane, Lane, type LaneProps } from '../../../lib';
import { testStack } from '../../support/stack';
import { named, resourcesOf } from '../../support/template';

function lane(stack: Stack, props: Partial<LaneProps> = {}): Lane {
  return new Lane(stack, 'Lane', {
    laneName: AgentLane.CANDIDATE,
    agentName: 'support',
    visibilityTimeout: Duration.minutes(6),
    ...props,
  });
}

describe('a lane', () => {
  const stack = testStack();
  const made = lane(stack, { alarmAction: new SnsAction(new Topic(stack, 'Topic')) });
  const resources = resourcesOf(stack);
  const properties = (name: string) => resources[named(resources, name)]?.Properties;

  test.each(['High', 'Normal', 'Low'])('has the queue %s with a dead-letter queue behind it', (name) => {
    expect(properties(`Lane${name}`)).toEqual({
      VisibilityTimeout: 360,
      MessageRetentionPeriod: 14 * 24 * 3600,
      SqsManagedSseEnabled: true,
      RedrivePolicy: {
        deadLetterTargetArn: { 'Fn::GetAtt': [named(resources, 'LaneDeadLetters'), 'Arn'] },
        maxReceiveCount: 20,
      },
    });
  });

  test('refuses what does not come over TLS, in every queue', () => {
    const policies = Object.values(resources).filter(({ Type }) => Type === 'AWS::SQS::QueuePolicy');
    expect(policies).toHaveLength(4);
    for (const { Properties } of policies) {
      expect(JSON.stringify(Properties)).toContain('"aws:SecureTransport":"false"');
    }
  });

  test('is in ALARM while the dead-letter queue holds a message, and notifies the alarm action', () => {
    expect(properties('LaneDeadLetterAlarm')).toMatchObject({
      Namespace: 'AWS/SQS',
      MetricName: 'ApproximateNumberOfMessagesVisible',
      Statistic: 'Maximum',
      Threshold: 0,
      ComparisonOperator: 'GreaterThanThreshold',
      TreatMissingData: 'notBreaching',
      AlarmActions: [{ Ref: named(resources, 'Topic') }],
      AlarmDescription: expect.stringMatching(
        /candidate lane: the dead-letter queue holds tasks that failed .*What to do: "npx cdk-agent-lanes redrive"/,
      ),
    });
  });

  test('names nothing physically', () => {
    const names = ['QueueName', 'AlarmName', 'TopicName'];
    for (const { Properties = {} } of Object.values(resources)) {
      expect(names.filter((name) => name in Properties)).toEqual([]);
    }
  });

  test('gives its metrics the names of the contract', () => {
    expect(made.tasks.metricCost().toMetricConfig().metricStat).toMatchObject({
      namespace: 'AgentLanes',
      metricName: 'TaskCost',
      statistic: 'Average',
      dimensions: [
        { name: 'Agent', value: 'support' },
        { name: 'Lane', value: 'candidate' },
      ],
    });
    expect(made.metricWaiting(made.low).metricName).toBe('ApproximateNumberOfMessagesVisible');
    expect(made.metricOldestMessage(made.low, { period: Duration.minutes(2) }).period.toSeconds()).toBe(120);
  });
});

describe('grants and keys', () => {
  test('grantSend allows sending to the three work queues only', () => {
    const stack = testStack();
    const role = new Role(stack, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    lane(stack).grantSend(role);
    const resources = resourcesOf(stack);
    const policy = resources[named(resources, 'RoleDefaultPolicy')]?.Properties;
    expect(policy?.PolicyDocument).toMatchObject({
      Statement: [
        {
          Action: 'sqs:SendMessage',
          Resource: ['High', 'Low', 'Normal'].map((name) => ({
            'Fn::GetAtt': [named(resources, `Lane${name}`), 'Arn'],
          })),
        },
      ],
    });
  });

  test('a key of your own encrypts every queue, and senders may use it', () => {
    const stack = testStack();
    const key = new Key(stack, 'Key');
    const role = new Role(stack, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    lane(stack, { encryptionKey: key }).grantSend(role);
    const template = Template.fromStack(stack);
    template.allResourcesProperties('AWS::SQS::Queue', { KmsMasterKeyId: { 'Fn::GetAtt': [expectKey(stack), 'Arn'] } });
    expect(JSON.stringify(template.findResources('AWS::IAM::Policy'))).toContain('"kms:GenerateDataKey"');
    expect(JSON.stringify(template.findResources('AWS::IAM::Policy'))).not.toContain('*"');
  });
});

function expectKey(stack: Stack): string {
  return named(resourcesOf(stack), 'Key');
}

describe('limits', () => {
  test.each([4, 5.5, 1001, Number.NaN])('refuses %p receives', (maxReceiveCount) => {
    expect(() => lane(testStack(), { maxReceiveCount })).toThrow(
      new RegExp(
        `Test/Lane.*InvalidMaxReceiveCount: maxReceiveCount must be an integer between 5 and 1000, got ${maxReceiveCount}`,
      ),
    );
  });

  test('refuses a visibility that SQS does not have', () => {
    expect(() => lane(testStack(), { visibilityTimeout: Duration.hours(13) })).toThrow(
      /visibilityTimeout must be at most 43200 seconds, got 46800; shorten the worker's timeout \(https:.*\)/,
    );
  });

  test('takes more receives', () => {
    const stack = testStack();
    lane(stack, { maxReceiveCount: 9 });
    const resources = resourcesOf(stack);
    expect(resources[named(resources, 'LaneLow')]?.Properties).toMatchObject({ RedrivePolicy: { maxReceiveCount: 9 } });
  });
});
