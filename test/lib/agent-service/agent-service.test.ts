import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { readWorkerSettings } from '../../../lambda/worker/settings';
import { AgentService, AgentStore, Transcripts, Webhooks } from '../../../lib';
import { leastProps, supportAgent } from '../../support/agent-service';
import { deployedEnvironment } from '../../support/deployed-environment';
import { testApp, testStack } from '../../support/stack';
import { named, resourcesOf, shortName } from '../../support/template';

interface PolicyDocument {
  readonly Statement: readonly { readonly Action: string | readonly string[]; readonly Resource: unknown }[];
}

/** Tables with a key of their own need to know their region. */
function stackInRegion(): Stack {
  return new Stack(testApp(), 'Test', { env: { account: '123456789012', region: 'eu-west-1' } });
}

describe('by default', () => {
  const stack = testStack();
  const agent = new AgentService(stack, 'Support', leastProps(stack));
  const resources = resourcesOf(stack);

  test('the rollout is a canary of half an hour with evidence, without gates', () => {
    expect(resources[named(resources, 'SupportRolloutDeploymentGroup')]?.Properties).toMatchObject({
      DeploymentConfigName: 'CodeDeployDefault.LambdaCanary10Percent30Minutes',
    });
    expect(agent.gates.alarms).toEqual([]);
    expect(agent.rollout.duration.toMinutes()).toBe(37);
  });

  test('the name comes from the path, and nothing has a physical name', () => {
    expect(agent.agentName).toMatch(/^TestSupport[0-9A-F]{8}$/);
    const physical = [
      'QueueName',
      'TableName',
      'BucketName',
      'FunctionName',
      'TopicName',
      'DashboardName',
      'RoleName',
      'AlarmName',
      'LogGroupName',
    ];
    const creating = [
      'AWS::SQS::Queue',
      'AWS::DynamoDB::GlobalTable',
      'AWS::S3::Bucket',
      'AWS::Lambda::Function',
      'AWS::SNS::Topic',
      'AWS::CloudWatch::Dashboard',
      'AWS::IAM::Role',
      'AWS::CloudWatch::Alarm',
      'AWS::Logs::LogGroup',
    ];
    const given = Object.values(resources)
      .filter(({ Type }) => creating.includes(Type))
      .flatMap(({ Properties = {} }) => physical.filter((name) => name in Properties));
    expect(given).toEqual([]);
  });

  test('tables and bucket stay when the stack goes, and cannot be deleted by accident', () => {
    expect(resources[named(resources, 'SupportStorePayloads')]?.DeletionPolicy).toBe('Retain');
    const tables = Object.values(resources).filter(({ Type }) => Type === 'AWS::DynamoDB::GlobalTable');
    expect(tables).toHaveLength(3);
    for (const table of tables) {
      expect(table.DeletionPolicy).toBe('Retain');
    }
  });

  test('outputs say where it is and what runs', () => {
    const outputs = Template.fromStack(stack).toJSON().Outputs as Record<
      string,
      { Value: unknown; Description: string }
    >;
    const values = Object.fromEntries(Object.entries(outputs).map(([id, { Value }]) => [shortName(id), Value]));
    expect(values).toEqual({
      SupportEndpoint: { 'Fn::GetAtt': [named(resources, 'SupportIntakeApi'), 'ApiEndpoint'] },
      SupportApiId: { Ref: named(resources, 'SupportIntakeApi') },
      SupportInboxUrl: { Ref: named(resources, 'SupportIntakeInbox') },
      SupportInboxArn: { 'Fn::GetAtt': [named(resources, 'SupportIntakeInbox'), 'Arn'] },
      SupportReleaseId: agent.release.releaseId,
      SupportAgentName: agent.agentName,
      SupportTasksTable: { Ref: named(resources, 'SupportStoreTasks') },
      SupportSessionsTable: { Ref: named(resources, 'SupportStoreSessions') },
      SupportControlTable: { Ref: named(resources, 'SupportStoreControl') },
      SupportRedriveFunction: { Ref: named(resources, 'SupportRedriveFunction') },
      SupportPayloadBucket: { Ref: named(resources, 'SupportStorePayloads') },
    });
  });

  test('alarms may publish to the topic, which has a policy of its own', () => {
    expect(resources[named(resources, 'SupportAlertsPolicy')]?.Properties?.PolicyDocument).toMatchObject({
      Statement: expect.arrayContaining([
        expect.objectContaining({
          Effect: 'Allow',
          Action: 'sns:Publish',
          Principal: { Service: 'cloudwatch.amazonaws.com' },
          Condition: { ArnLike: { 'aws:SourceArn': expect.anything() } },
        }),
      ]),
    });
  });

  test('no permission is wider than AWS can name it', () => {
    const policies = Object.values(resources).filter(({ Type }) => Type === 'AWS::IAM::Policy');
    const statements = policies.flatMap(
      ({ Properties }) => (Properties?.PolicyDocument as PolicyDocument | undefined)?.Statement ?? [],
    );
    const actions = statements.flatMap(({ Action }) => Action);
    expect(actions.filter((action) => action.includes('*'))).toEqual([]);
    const onEverything = statements.filter(({ Resource }) => Resource === '*').flatMap(({ Action }) => Action);
    expect([...new Set(onEverything)].sort()).toEqual([
      'cloudwatch:GetMetricData',
      'xray:PutTelemetryRecords',
      'xray:PutTraceSegments',
    ]);
  });
});

describe('the worker', () => {
  test('has all that it reads from its environment', () => {
    const stack = testStack();
    const agent = supportAgent(stack, {
      agentName: 'support',
      maxAttempts: 3,
      maxInFlightPerUser: 2,
      transcripts: Transcripts.record({ retention: Duration.days(90) }),
      webhooks: Webhooks.signed(),
    });
    const resources = resourcesOf(stack);
    expect(readWorkerSettings(deployedEnvironment(resources, 'SupportWorkerFunction'))).toMatchObject({
      agent: 'support',
      release: agent.release.releaseId,
      transcripts: true,
      maxAttempts: 3,
      maxReceives: 18,
      maxInFlightPerUser: 2,
      queues: { stable: { high: expect.stringContaining('SupportStableHigh') } },
      deadLetterQueues: { candidate: expect.stringContaining('SupportCandidateDeadLetters') },
      webhookQueue: expect.stringContaining('SupportWebhooksQueue'),
    });
    const worker = resources[named(resources, 'SupportWorkerRoleDefaultPolicy')];
    expect(JSON.stringify(worker)).toContain('"/transcripts/*"');
    expect(resources[named(resources, 'SupportStorePayloads')]?.Properties).toMatchObject({
      LifecycleConfiguration: {
        Rules: expect.arrayContaining([
          expect.objectContaining({ Prefix: 'tasks/', ExpirationInDays: 52 }),
          expect.objectContaining({ Prefix: 'transcripts/', ExpirationInDays: 90 }),
        ]),
      },
    });
  });
});

describe('parts handed in', () => {
  test('a store is used, and not another one made', () => {
    const stack = testStack();
    const store = new AgentStore(stack, 'Mine', { removalPolicy: RemovalPolicy.DESTROY });
    supportAgent(stack, { store });
    const resources = resourcesOf(stack);
    const tables = Object.entries(resources).filter(([, { Type }]) => Type === 'AWS::DynamoDB::GlobalTable');
    expect(tables.map(([id]) => shortName(id)).sort()).toEqual(['MineControl', 'MineSessions', 'MineTasks']);
  });

  test('a topic hears of gates and dead letters', () => {
    const stack = testStack();
    const topic = new Topic(stack, 'Pager');
    supportAgent(stack, { topic: topic });
    const resources = resourcesOf(stack);
    const alarms = Object.values(resources).filter(({ Type }) => Type === 'AWS::CloudWatch::Alarm');
    expect(alarms).toHaveLength(8);
    for (const { Properties } of alarms) {
      expect(Properties?.AlarmActions).toEqual([{ Ref: named(resources, 'Pager') }]);
    }
    expect(Object.keys(resources).filter((id) => id.startsWith('SupportAlerts'))).toEqual([]);
  });

  test('a key encrypts tables, bucket, queues and the topic', () => {
    const stack = stackInRegion();
    supportAgent(stack, { encryptionKey: new Key(stack, 'Key') });
    const resources = resourcesOf(stack);
    const key = named(resources, 'Key');
    const uses = Object.entries(resources)
      .filter(([, { Type }]) =>
        ['AWS::SQS::Queue', 'AWS::DynamoDB::GlobalTable', 'AWS::S3::Bucket', 'AWS::SNS::Topic'].includes(Type),
      )
      .filter(([, { Properties }]) => JSON.stringify(Properties).includes(key));
    expect(uses).toHaveLength(10 + 3 + 1 + 1);
  });

  test('an imported key, whose policy cannot be changed, gets a warning', () => {
    const stack = stackInRegion();
    const key = Key.fromKeyArn(
      stack,
      'Key',
      'arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000',
    );
    supportAgent(stack, { encryptionKey: key });
    Annotations.fromStack(stack).hasWarning('/Test/Support', Match.stringLikeRegexp('cdk-agent-lanes:topicKey'));
  });

  test('attempts, retention and removal reach every part', () => {
    const stack = testStack();
    supportAgent(stack, {
      maxAttempts: 7,
      taskRetention: Duration.days(3),
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const resources = resourcesOf(stack);
    expect(resources[named(resources, 'SupportStableLow')]?.Properties).toMatchObject({
      RedrivePolicy: { maxReceiveCount: 22 },
    });
    for (const name of ['SupportWorkerFunction', 'SupportIntakeRouter']) {
      expect(JSON.stringify(resources[named(resources, name)]?.Properties)).toContain(
        '"AGENT_LANES_TASK_RETENTION_DAYS":"3"',
      );
    }
    expect(JSON.stringify(resources[named(resources, 'SupportWorkerFunction')]?.Properties)).toContain(
      '"AGENT_LANES_MAX_ATTEMPTS":"7"',
    );
    for (const name of ['SupportStoreTasks', 'SupportStorePayloads']) {
      expect(resources[named(resources, name)]?.DeletionPolicy).toBe('Delete');
    }
  });
});

describe('misuse', () => {
  test.each([
    [
      Duration.hours(36),
      /InvalidTranscriptRetention: retention of transcripts must be whole days, at least 1, got 1 day 12 hours/,
    ],
    [Duration.days(0), /InvalidTranscriptRetention/],
  ])('refuses to keep transcripts for other than whole days (%#)', (retention, message) => {
    expect(() => Transcripts.record({ retention })).toThrow(message);
  });

  test("refuses an agent without its model's secret, and says what to add", () => {
    expect(() => supportAgent(testStack(), { secrets: {} })).toThrow(
      /MissingModelSecret: .*"anthropic".*add it to secrets/,
    );
  });

  test.each(['', 'a#b', '-a', 'x'.repeat(65), 'größe'])("refuses the name '%s'", (agentName) => {
    expect(() => supportAgent(testStack(), { agentName })).toThrow(
      /InvalidAgentName: agentName is '.*', expected 1 to 64/,
    );
  });

  test('refuses one store for two agents', () => {
    const stack = testStack();
    const store = new AgentStore(stack, 'Mine');
    supportAgent(stack, { store });
    expect(() => new AgentService(stack, 'Second', { ...leastProps(testStack()), store })).toThrow(/ConflictingStore/);
  });

  test('two agents live in one stack', () => {
    const stack = testStack();
    const props = leastProps(stack);
    const names = ['A', 'B'].map((id) => new AgentService(stack, id, props).agentName);
    expect(new Set(names).size).toBe(2);
    expect(Object.keys(resourcesOf(stack)).length).toBeGreaterThan(150);
  });
});
