import { Duration, type Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { SecurityGroup, Vpc } from 'aws-cdk-lib/aws-ec2';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { webhookSettingsSchema } from '../../../lambda/functions/webhook/settings';
import { readSettings } from '../../../lambda/shared/settings';
import { type SignedWebhooksOptions, Webhooks } from '../../../lib';
import { Env, WEBHOOK_MAX_RECEIVES } from '../../../lib/contract';
import { supportAgent } from '../../support/agent-service';
import { deployedEnvironment } from '../../support/deployed-environment';
import { testStack } from '../../support/stack';
import { named, resourcesOf } from '../../support/template';

function build(options?: SignedWebhooksOptions, stack: Stack = testStack()) {
  const agent = supportAgent(stack, { agentName: 'support', webhooks: Webhooks.signed(options) });
  return { stack, agent, resources: resourcesOf(stack) };
}

describe('webhooks', () => {
  const { agent, resources, stack } = build();
  const properties = (name: string) => resources[named(resources, name)]?.Properties;

  test('go through a queue that gives up long after the function does', () => {
    expect(properties('SupportWebhooksQueue')).toMatchObject({
      MessageRetentionPeriod: 14 * 86_400,
      SqsManagedSseEnabled: true,
      VisibilityTimeout: 6 * Number(properties('SupportWebhooksFunction')?.Timeout),
      RedrivePolicy: { maxReceiveCount: WEBHOOK_MAX_RECEIVES },
    });
    expect(properties('SupportWebhooksMapping')).toMatchObject({
      BatchSize: 10,
      ScalingConfig: { MaximumConcurrency: 10 },
      FunctionResponseTypes: ['ReportBatchItemFailures'],
    });
  });

  test('tell the function all that it reads from its environment', () => {
    const settings = readSettings(webhookSettingsSchema, deployedEnvironment(resources, 'SupportWebhooksFunction'));
    expect(settings).toMatchObject({
      [Env.AGENT]: 'support',
      [Env.WEBHOOK_QUEUE]: expect.stringContaining('SupportWebhooksQueue'),
      [Env.WEBHOOK_DEAD_LETTER_QUEUE]: expect.stringContaining('SupportWebhooksDeadLetters'),
      [Env.WEBHOOK_SECRET]: named(resources, 'SupportWebhooksSecret'),
      [Env.WEBHOOK_RETRY_SECONDS]: 86_400,
      [Env.WEBHOOK_PRIVATE_HOSTS]: [],
    });
  });

  test('are signed with a generated key that the operator finds', () => {
    expect(properties('SupportWebhooksSecret')).toMatchObject({
      GenerateSecretString: { PasswordLength: 64, ExcludePunctuation: true },
    });
    expect(Template.fromStack(stack).toJSON().Outputs).toHaveProperty(
      Object.keys(Template.fromStack(stack).findOutputs('*')).find((id) => id.startsWith('SupportWebhookSecret')) ?? '',
      expect.objectContaining({ Value: { Ref: named(resources, 'SupportWebhooksSecret') } }),
    );
  });

  test('raise an alarm when one is abandoned', () => {
    expect(properties('SupportWebhooksDeadLetterAlarm')).toMatchObject({
      MetricName: 'ApproximateNumberOfMessagesVisible',
      Threshold: 0,
      AlarmActions: [{ Ref: named(resources, 'SupportAlerts') }],
      AlarmDescription: expect.stringMatching(/abandoned: .* for 1 day, .*What to do: /),
    });
  });

  test('have metrics with the names of the contract', () => {
    const { webhooks } = agent;
    expect([webhooks?.metricDelivered(), webhooks?.metricFailed(), webhooks?.metricAbandoned()]).toMatchObject([
      { metricName: 'WebhooksDelivered', dimensions: { Agent: 'support' } },
      { metricName: 'WebhookFailures' },
      { metricName: 'WebhooksAbandoned' },
    ]);
  });

  test('are sent by a function that may read tasks and mark them, read the key, and take from one queue', () => {
    const document = properties('SupportWebhooksFunctionRoleDefaultPolicy')?.PolicyDocument as {
      Statement: { Action: string | string[]; Resource: unknown }[];
    };
    const actions = document.Statement.flatMap(({ Action }) => Action);
    expect(actions.filter((action) => !/^(logs|xray):/.test(action)).sort()).toEqual([
      'dynamodb:GetItem',
      'dynamodb:UpdateItem',
      'secretsmanager:DescribeSecret',
      'secretsmanager:GetSecretValue',
      'sqs:ChangeMessageVisibility',
      'sqs:DeleteMessage',
      'sqs:GetQueueAttributes',
      'sqs:GetQueueUrl',
      'sqs:ReceiveMessage',
      'sqs:SendMessage',
    ]);
  });

  test('are told to the worker and the functions of the intake', () => {
    for (const name of ['SupportWorkerFunction', 'SupportIntakeRouter', 'SupportIntakeStatus']) {
      expect(deployedEnvironment(resources, name)[Env.WEBHOOK_QUEUE]).toContain('SupportWebhooksQueue');
    }
  });
});

describe('options', () => {
  test('a secret, a time, private hosts and a VPC can be given', () => {
    const stack = testStack();
    const vpc = new Vpc(stack, 'Vpc', { natGateways: 1 });
    const securityGroup = new SecurityGroup(stack, 'Group', { vpc });
    const secret = Secret.fromSecretNameV2(stack, 'Mine', 'webhook-key');
    const { resources } = build(
      {
        secret,
        retryFor: Duration.days(13),
        privateHosts: ['hooks.internal', '10.0.0.7'],
        vpc,
        securityGroups: [securityGroup],
      },
      stack,
    );
    expect(deployedEnvironment(resources, 'SupportWebhooksFunction')).toMatchObject({
      [Env.WEBHOOK_RETRY_SECONDS]: String(13 * 86_400),
      [Env.WEBHOOK_PRIVATE_HOSTS]: '["hooks.internal","10.0.0.7"]',
      [Env.WEBHOOK_SECRET]: expect.stringContaining('webhook-key'),
    });
    expect(Object.keys(resources).filter((id) => id.startsWith('SupportWebhooksSecret'))).toEqual([]);
    Template.fromStack(stack).hasResourceProperties('AWS::Lambda::Function', {
      Description: Match.stringLikeRegexp('^Sends signed webhooks'),
      VpcConfig: { SecurityGroupIds: [stack.resolve(securityGroup.securityGroupId)] },
    });
    expect(JSON.stringify(resources[named(resources, 'SupportWebhooksFunctionRoleDefaultPolicy')])).toContain(
      'ec2:CreateNetworkInterface',
    );
  });

  test.each<[SignedWebhooksOptions, RegExp]>([
    [
      { retryFor: Duration.days(14) },
      /InvalidWebhookRetry: webhooks: retryFor must be whole seconds between 1 minute and 13 days, got 14 days/,
    ],
    [{ retryFor: Duration.seconds(59) }, /InvalidWebhookRetry/],
    [{ retryFor: Duration.millis(90_500) }, /InvalidWebhookRetry/],
    [
      { privateHosts: ['https://hooks.internal'] },
      /InvalidPrivateHost: webhooks: each of privateHosts must be .*got 'https:\/\/hooks.internal'/,
    ],
    [{ privateHosts: ['hooks.internal:8080'] }, /InvalidPrivateHost/],
    [{ privateHosts: [''] }, /InvalidPrivateHost/],
    [{ securityGroups: [] }, /MissingWebhookVpc: .*set vpc/],
  ])('refuses %j', (options, message) => {
    expect(() => build(options)).toThrow(message);
  });
});

test('an agent without webhooks has nothing of them', () => {
  const stack = testStack();
  const agent = supportAgent(stack);
  expect(agent.webhooks).toBeUndefined();
  expect(Object.keys(resourcesOf(stack)).filter((id) => id.startsWith('SupportWebhooks'))).toEqual([]);
});
