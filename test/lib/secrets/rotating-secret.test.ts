import { Duration } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { Alarm } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { rotationEventSchema } from '../../../lambda/functions/rotation/event';
import { RotationMetrics } from '../../../lambda/functions/rotation/rotation-metrics';
import { rotationSettingsSchema } from '../../../lambda/functions/rotation/settings';
import { readSettings } from '../../../lambda/shared/settings';
import { ApiKeyCheck, ApiKeyRotation, RotatingSecret, type RotatingSecretProps } from '../../../lib';
import { Env, METRIC_NAMESPACE } from '../../../lib/contract';
import { deployedEnvironment } from '../../support/deployed-environment';
import { testStack } from '../../support/stack';
import { named, resourcesOf } from '../../support/template';

function build(
  rotation: (stack: ReturnType<typeof testStack>) => ApiKeyRotation,
  props: Partial<RotatingSecretProps> | ((stack: ReturnType<typeof testStack>) => Partial<RotatingSecretProps>) = {},
) {
  const stack = testStack();
  const rotating = new RotatingSecret(stack, 'Key', {
    agentName: 'support',
    secretName: 'openai',
    rotation: rotation(stack),
    ...(typeof props === 'function' ? props(stack) : props),
  });
  return { stack, rotating };
}

const openAi = (stack: ReturnType<typeof testStack>) =>
  ApiKeyRotation.openAiServiceAccount({ adminSecret: new Secret(stack, 'Admin'), project: 'proj_1' });
const pool = (stack: ReturnType<typeof testStack>) =>
  ApiKeyRotation.keyPool({ poolSecret: new Secret(stack, 'Pool'), check: ApiKeyCheck.anthropic() });
const custom = (stack: ReturnType<typeof testStack>) =>
  ApiKeyRotation.custom(
    new LambdaFunction(stack, 'Mine', {
      runtime: Runtime.NODEJS_24_X,
      handler: 'index.handler',
      code: Code.fromInline('x'),
    }),
  );

/** Actions that the statements of the policies of a role allow on a resource whose reference holds the text. */
function allowed(template: Template, role: string, on: string): readonly string[] {
  return Object.values(template.findResources('AWS::IAM::Policy'))
    .filter(({ Properties }) => JSON.stringify(Properties.Roles).includes(role))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
    .filter((statement: { Resource: unknown }) => JSON.stringify(statement.Resource).includes(on))
    .flatMap((statement: { Action: string | string[] }) => statement.Action)
    .sort();
}

const ROTATE = [
  'secretsmanager:DescribeSecret',
  'secretsmanager:GetSecretValue',
  'secretsmanager:ListSecretVersionIds',
  'secretsmanager:PutSecretValue',
  'secretsmanager:UpdateSecretVersionStage',
];

describe('a secret that rotates', () => {
  const { stack } = build(openAi);
  const template = Template.fromStack(stack);
  const resources = resourcesOf(stack);

  test('is rotated every 30 days, and not by a deployment', () => {
    template.hasResourceProperties('AWS::SecretsManager::RotationSchedule', {
      RotateImmediatelyOnUpdate: false,
      RotationRules: { ScheduleExpression: 'rate(30 days)' },
      SecretId: { Ref: named(resources, 'KeySecret') },
    });
  });

  test('lets Secrets Manager call the function for this secret of this account alone, before it is scheduled', () => {
    template.hasResourceProperties('AWS::Lambda::Permission', {
      Action: 'lambda:InvokeFunction',
      Principal: 'secretsmanager.amazonaws.com',
      SourceAccount: { Ref: 'AWS::AccountId' },
      SourceArn: { Ref: named(resources, 'KeySecret') },
    });
    const [schedule] = Object.values(template.findResources('AWS::SecretsManager::RotationSchedule'));
    const dependencies: readonly string[] = schedule?.DependsOn ?? [];
    const types = dependencies.map((id) => resources[id]?.Type);
    expect(types).toEqual(expect.arrayContaining(['AWS::Lambda::Permission', 'AWS::IAM::Policy']));
  });

  test('gives the function this secret to rotate and the admin key to read, and nothing else', () => {
    expect(allowed(template, 'KeyFunctionRole', 'KeySecret')).toEqual(ROTATE);
    expect(allowed(template, 'KeyFunctionRole', 'Admin')).toEqual([
      'secretsmanager:DescribeSecret',
      'secretsmanager:GetSecretValue',
    ]);
  });

  test('tells the function all that it reads from its environment', () => {
    const settings = readSettings(rotationSettingsSchema, deployedEnvironment(resources, 'KeyFunction'));
    expect(settings).toEqual({
      [Env.AGENT]: 'support',
      [Env.ROTATED_SECRET]: named(resources, 'KeySecret'),
      [Env.ROTATED_SECRET_NAME]: 'openai',
      [Env.ROTATION]: {
        strategy: 'openai_service_account',
        adminSecret: named(resources, 'Admin'),
        project: 'proj_1',
        graceSeconds: 86_400,
      },
    });
  });

  test('is watched every hour, by an event that the function understands', () => {
    const [rule] = Object.values(template.findResources('AWS::Events::Rule'));
    expect(rule?.Properties).toMatchObject({ ScheduleExpression: 'rate(1 hour)', State: 'ENABLED' });
    expect(rotationEventSchema.parse(JSON.parse(rule?.Properties.Targets[0].Input))).toEqual({ watch: true });
  });

  test('is watched more often where the grace period is shorter', () => {
    const short = Template.fromStack(build(openAi, { gracePeriod: Duration.minutes(10) }).stack);
    short.hasResourceProperties('AWS::Events::Rule', { ScheduleExpression: 'rate(10 minutes)' });
  });

  test('has an alarm on failures and one on its age, which needs data to be well', () => {
    template.resourceCountIs('AWS::CloudWatch::Alarm', 2);
    template.hasResourceProperties('AWS::CloudWatch::Alarm', {
      Namespace: 'AWS/Lambda',
      MetricName: 'Errors',
      Dimensions: [{ Name: 'FunctionName', Value: { Ref: named(resources, 'KeyFunction') } }],
      Threshold: 0,
      TreatMissingData: 'notBreaching',
    });
    template.hasResourceProperties('AWS::CloudWatch::Alarm', {
      MetricName: 'SecretAgeDays',
      Statistic: 'Minimum',
      Period: 10_800,
      EvaluationPeriods: 1,
      Threshold: 32,
      TreatMissingData: 'missing',
    });
  });
});

test('alarms watch metrics that the function emits, with its dimensions', () => {
  const { stack } = build(pool);
  const lines: string[] = [];
  const metrics = new RotationMetrics('support', 'openai', { now: () => 0, sleep: async () => {} }, (line) =>
    lines.push(line),
  );
  metrics.rotated();
  metrics.poolLeft(1);
  metrics.failed();
  const emitted = lines.flatMap((line) => {
    const { _aws, ...values } = JSON.parse(line);
    return _aws.CloudWatchMetrics.flatMap((one: { Dimensions: string[][]; Metrics: { Name: string }[] }) =>
      one.Metrics.map(({ Name }) => `${Name} ${one.Dimensions.flat().map((name) => `${name}=${values[name]}`)}`),
    );
  });
  const watched = Object.values(Template.fromStack(stack).findResources('AWS::CloudWatch::Alarm'))
    .filter(({ Properties }) => Properties.Namespace === METRIC_NAMESPACE)
    .map(({ Properties }) => {
      const dimensions: readonly { Name: string; Value: string }[] = Properties.Dimensions;
      return `${Properties.MetricName} ${dimensions.map(({ Name, Value }) => `${Name}=${Value}`)}`;
    });
  expect(watched).toHaveLength(2);
  expect(emitted).toEqual(expect.arrayContaining(watched));
});

test('a pool has an alarm that calls for people while there is a key left', () => {
  const { stack, rotating } = build(pool);
  expect(rotating.poolAlarm).toBeInstanceOf(Alarm);
  Template.fromStack(stack).hasResourceProperties('AWS::CloudWatch::Alarm', {
    MetricName: 'SecretPoolKeysRemaining',
    ComparisonOperator: 'LessThanOrEqualToThreshold',
    Threshold: 1,
  });
  const settings = readSettings(rotationSettingsSchema, deployedEnvironment(resourcesOf(stack), 'KeyFunction'));
  expect(settings[Env.ROTATION]).toMatchObject({ strategy: 'key_pool', check: { provider: 'anthropic' } });
});

test('a function of one’s own rotates with the same permission, and the library’s only watches', () => {
  const { stack, rotating } = build(custom);
  const template = Template.fromStack(stack);
  const resources = resourcesOf(stack);
  template.hasResourceProperties('AWS::SecretsManager::RotationSchedule', {
    RotationLambdaARN: { 'Fn::GetAtt': [named(resources, 'Mine'), 'Arn'] },
  });
  expect(allowed(template, 'MineServiceRole', 'KeySecret')).toEqual(ROTATE);
  expect(allowed(template, 'KeyFunctionRole', 'KeySecret')).toEqual([
    'secretsmanager:DescribeSecret',
    'secretsmanager:ListSecretVersionIds',
  ]);
  template.hasResourceProperties('AWS::CloudWatch::Alarm', {
    MetricName: 'Errors',
    Dimensions: [{ Name: 'FunctionName', Value: { Ref: named(resources, 'Mine') } }],
  });
  expect(rotating.poolAlarm).toBeUndefined();
});

test('a secret that exists already is rotated in place, by an ARN that fits it', () => {
  const { stack } = build(openAi, (scope) => ({ secret: Secret.fromSecretNameV2(scope, 'There', 'agents/openai') }));
  const template = Template.fromStack(stack);
  template.resourceCountIs('AWS::SecretsManager::Secret', 1);
  expect(allowed(template, 'KeyFunctionRole', 'agents/openai-??????')).toEqual(ROTATE);
});

test('one’s own key encrypts the secret, and the function may use it through Secrets Manager alone', () => {
  const { stack } = build(openAi, (scope) => ({ encryptionKey: new Key(scope, 'Own') }));
  const template = Template.fromStack(stack);
  template.hasResourceProperties('AWS::SecretsManager::Secret', {
    KmsKeyId: { 'Fn::GetAtt': [named(resourcesOf(stack), 'Own'), 'Arn'] },
  });
  template.hasResourceProperties('AWS::KMS::Key', {
    KeyPolicy: {
      Statement: Match.arrayWith([
        Match.objectLike({
          Principal: { AWS: { 'Fn::GetAtt': [Match.stringLikeRegexp('KeyFunctionRole'), 'Arn'] } },
          Condition: { StringEquals: { 'kms:ViaService': Match.anyValue() } },
        }),
      ]),
    },
  });
});

test('the alarm action also runs when the age is not measured', () => {
  const { stack } = build(pool, (scope) => ({ alarmAction: new SnsAction(new Topic(scope, 'Topic')) }));
  const alarms = Object.values(Template.fromStack(stack).findResources('AWS::CloudWatch::Alarm'));
  expect(alarms.every(({ Properties }) => Properties.AlarmActions.length === 1)).toBe(true);
  const insufficient = alarms.filter(({ Properties }) => Properties.InsufficientDataActions !== undefined);
  expect(insufficient.map(({ Properties }) => Properties.MetricName)).toEqual(['SecretAgeDays']);
});

test('what an alarm says fits into CloudWatch’s 1,024 characters', () => {
  const { stack } = build(pool);
  for (const { Properties } of Object.values(Template.fromStack(stack).findResources('AWS::CloudWatch::Alarm'))) {
    const text = JSON.stringify(Properties.AlarmDescription);
    expect(text.length).toBeLessThan(950);
    expect(text).toContain('What to do:');
  }
});

test.each([
  [Duration.hours(4), Duration.hours(1), 4 / 24 + 2 / 24],
  [Duration.days(2), Duration.hours(24), 3],
  [Duration.days(1000), Duration.days(7), 1002],
])('every %s, with grace period %s, may be late by %s', (interval, gracePeriod, threshold) => {
  const { stack } = build(openAi, { interval, gracePeriod });
  const [alarm] = Object.values(
    Template.fromStack(stack).findResources('AWS::CloudWatch::Alarm', { Properties: { MetricName: 'SecretAgeDays' } }),
  );
  expect(alarm?.Properties.Threshold).toBeCloseTo(threshold, 6);
});

describe('refuses', () => {
  test.each<[string, Partial<RotatingSecretProps>, RegExp]>([
    [
      'to rotate too often',
      { interval: Duration.hours(3) },
      /interval must be whole hours between 4 hours and 1000 days, got 3 hours/,
    ],
    ['parts of hours', { interval: Duration.minutes(250) }, /must be whole hours between .* got 4 hours 10 minutes/],
    [
      'to rotate too seldom',
      { interval: Duration.days(1001) },
      /must be whole hours between 4 hours and 1000 days, got 1001 days/,
    ],
    [
      'no grace',
      { gracePeriod: Duration.minutes(5) },
      /gracePeriod must be whole minutes, at least 10 minutes and less than interval \(30 days\), got 5 minutes/,
    ],
    [
      'a grace as long as a rotation',
      { interval: Duration.days(1) },
      /gracePeriod must be .* less than interval \(1 day\), got 1 day/,
    ],
    ['a name that is empty', { secretName: ' ' }, /secretName must not be empty, got ' '/],
  ])('%s', (_, props, message) => {
    expect(() => build(openAi, props)).toThrow(message);
  });

  test('a secret together with a key to encrypt a new one', () => {
    const both = () =>
      build(openAi, (scope) => ({
        secret: new Secret(scope, 'There'),
        encryptionKey: new Key(scope, 'Own'),
      }));
    expect(both).toThrow(/secret and encryptionKey are both set/);
  });

  test('a project that is empty, and keys that expire before the next rotation', () => {
    const rotation = (options: { project?: string; keyExpiry?: Duration }) => (scope: ReturnType<typeof testStack>) =>
      ApiKeyRotation.openAiServiceAccount({
        adminSecret: new Secret(scope, 'Admin'),
        project: 'proj_1',
        ...options,
      });
    expect(() => build(rotation({ project: '' }))).toThrow(/project must be the id of an OpenAI project .*got ''/);
    expect(() => build(rotation({ keyExpiry: Duration.days(31) }))).toThrow(
      /keyExpiry must be longer than interval and gracePeriod together \(31 days\) .*got 31 days/,
    );
    expect(() => build(rotation({ keyExpiry: Duration.days(32) }))).not.toThrow();
  });

  test('untested keys without a reason', () => {
    expect(() => ApiKeyCheck.none('')).toThrow(/MissingReason: reason of ApiKeyCheck\.none must not be empty/);
    expect(ApiKeyCheck.none('the endpoint lists no models')).toBeInstanceOf(ApiKeyCheck);
  });
});
