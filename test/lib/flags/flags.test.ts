import { Ajv } from 'ajv';
import { App, Duration, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { flagSettingsSchema, flagsDocumentSchema } from '../../../lib/contract';
import { CapabilityFlag, FlagDeploymentStrategy, Flags, type FlagsProps } from '../../../lib/flags';
import { GateSeverity, QualityGate } from '../../../lib/gates';

function bring(flags: FlagsProps['flags'], props: Partial<FlagsProps> = {}) {
  const stack = new Stack(new App(), 'Test');
  const construct = new Flags(stack, 'Flags', { agentName: 'support', flags, ...props });
  return { stack, construct, template: () => Template.fromStack(stack) };
}

/** The only resource of the type. */
function only(template: Template, type: string): Record<string, never> {
  const [resource, ...more] = Object.values(template.findResources(type));
  expect(more).toEqual([]);
  return resource?.Properties;
}

const FLAGS = {
  newSearch: CapabilityFlag.boolean({ percentage: 20, users: ['ann'] }),
  maxTurns: CapabilityFlag.number({ default: 10, variant: 20 }),
  prompt: CapabilityFlag.text({ default: 'answer', variant: 'answer-short', percentage: 0.5 }),
};

test('the configuration is a document of flags that passes its own validator', () => {
  const template = bring(FLAGS).template();
  const document = JSON.parse(only(template, 'AWS::AppConfig::HostedConfigurationVersion').Content ?? '');
  expect(flagsDocumentSchema.parse(document)).toEqual({
    newSearch: { default: false, variant: true, percent: 20, users: ['ann'] },
    maxTurns: { default: 10, variant: 20, percent: 0 },
    prompt: { default: 'answer', variant: 'answer-short', percent: 0.5 },
  });
  const [validator] = only(template, 'AWS::AppConfig::ConfigurationProfile').Validators ?? [];
  const check = new Ajv().compile(JSON.parse((validator as unknown as { Content: string }).Content));
  expect(check(document)).toBe(true);
  expect(check({ ...document, maxTurns: { ...document.maxTurns, variant: 'many' } })).toBe(false);
  expect(check({ ...document, newSearch: { ...document.newSearch, percent: 200 } })).toBe(false);
  expect(check({ ...document, stranger: document.newSearch })).toBe(false);
});

test('another share changes what is deployed and nothing that the worker is told', () => {
  const [a, b] = [20, 40].map((percentage) => bring({ newSearch: CapabilityFlag.boolean({ percentage }) }));
  expect(a?.stack.resolve(a.construct._settings())).toEqual(b?.stack.resolve(b.construct._settings()));
  const before = a?.template().toJSON().Resources;
  const after = b?.template().toJSON().Resources;
  const changed = Object.keys(after).filter((id) => JSON.stringify(before[id]) !== JSON.stringify(after[id]));
  expect(changed.map((id) => after[id].Type)).toEqual(['AWS::AppConfig::HostedConfigurationVersion']);
});

test('the worker is told where the flags are, and their defaults', () => {
  const { stack, construct } = bring(FLAGS);
  const resolved = stack.resolve(construct._settings());
  const text = resolved['Fn::Join'][1].map((part: unknown) => (typeof part === 'string' ? part : 'id')).join('');
  expect(flagSettingsSchema.parse(JSON.parse(text))).toEqual({
    application: 'id',
    environment: 'id',
    profile: 'id',
    defaults: { newSearch: false, maxTurns: 10, prompt: 'answer' },
  });
});

test('a worker may read this configuration and no other', () => {
  const { stack, construct, template } = bring(FLAGS);
  construct.grantRead(new Role(stack, 'Worker', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') }));
  const { PolicyDocument } = only(template(), 'AWS::IAM::Policy') as unknown as {
    PolicyDocument: { Statement: { Action: string[]; Resource: { 'Fn::Join': [string, unknown[]] } }[] };
  };
  const [statement] = PolicyDocument.Statement;
  expect(statement?.Action).toEqual(['appconfig:StartConfigurationSession', 'appconfig:GetLatestConfiguration']);
  const parts = statement?.Resource['Fn::Join'][1].filter((part) => typeof part === 'string').join('_');
  expect(parts).toMatch(/:application\/_\/environment\/_\/configuration\/$/);
});

test('gates watch the tasks that met the variant; the critical ones take a deployment back', () => {
  const template = bring({
    newSearch: CapabilityFlag.boolean({
      percentage: 20,
      gates: {
        errors: QualityGate.errorRate({ max: 0.1 }),
        cost: QualityGate.cost({ severity: GateSeverity.WARNING }),
      },
    }),
  }).template();
  template.resourceCountIs('AWS::CloudWatch::Alarm', 2);
  template.hasResourceProperties('AWS::CloudWatch::Alarm', {
    Threshold: 0.1,
    Metrics: Match.arrayWith([
      Match.objectLike({
        MetricStat: Match.objectLike({
          Metric: Match.objectLike({
            MetricName: 'TasksFailed',
            Dimensions: [
              { Name: 'Agent', Value: 'support' },
              { Name: 'Flag', Value: 'newSearch=true' },
            ],
          }),
        }),
      }),
    ]),
  });
  // Costs are compared with those of the default.
  expect(JSON.stringify(template.findResources('AWS::CloudWatch::Alarm'))).toContain('newSearch=false');
  const { Monitors } = only(template, 'AWS::AppConfig::Environment') as unknown as {
    Monitors: { AlarmArn: { 'Fn::GetAtt': string[] } }[];
  };
  expect(Monitors.map(({ AlarmArn }) => AlarmArn['Fn::GetAtt'][0])).toEqual([
    expect.stringContaining('newSearcherrors'),
  ]);
});

test('a change grows as it is told', () => {
  const grown = bring(FLAGS, {
    deploymentStrategy: FlagDeploymentStrategy.linear({
      percentage: 25,
      deploymentDuration: Duration.hours(1),
      bakeTime: Duration.minutes(30),
    }),
  });
  grown.template().hasResourceProperties('AWS::AppConfig::DeploymentStrategy', {
    DeploymentDurationInMinutes: 60,
    FinalBakeTimeInMinutes: 30,
    GrowthFactor: 25,
    GrowthType: 'LINEAR',
  });
  const atOnce = bring(FLAGS, { deploymentStrategy: FlagDeploymentStrategy.allAtOnce(Duration.minutes(10)) });
  atOnce.template().hasResourceProperties('AWS::AppConfig::DeploymentStrategy', {
    DeploymentDurationInMinutes: 0,
    FinalBakeTimeInMinutes: 10,
    GrowthFactor: 100,
  });
});

describe('misuse', () => {
  const gates = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`g${n}`, QualityGate.errorRate()]));

  test.each<[string, () => unknown, string]>([
    ['no flag', () => bring({}), 'MissingFlags'],
    [
      'a name that is none',
      () => bring({ 'new search': CapabilityFlag.boolean() }),
      'flag "new search": expected a name',
    ],
    [
      'a share of 120',
      () => bring({ f: CapabilityFlag.boolean({ percentage: 120 }) }),
      'percentage must be a number between 0 and 100, got 120',
    ],
    [
      'equal values',
      () => bring({ f: CapabilityFlag.number({ default: 3, variant: 3 }) }),
      'default and variant are both 3',
    ],
    [
      'a text that cannot be a dimension',
      () => bring({ f: CapabilityFlag.text({ default: 'a', variant: 'ü' }) }),
      'variant must be a boolean, a number, or 1 to 64 printable ASCII characters, got "ü"',
    ],
    ['a nameless user', () => bring({ f: CapabilityFlag.boolean({ users: [''] }) }), 'one of them empty'],
    [
      'six critical gates',
      () => bring({ f: CapabilityFlag.boolean({ gates: gates(6) }) }),
      'the flags must have at most 5 critical gates, got 6',
    ],
    [
      'growth in seconds',
      () => bring(FLAGS, { deploymentStrategy: FlagDeploymentStrategy.allAtOnce(Duration.seconds(90)) }),
      'bakeTime must be whole minutes, at most 1440, got 90 s',
    ],
    [
      'steps of nothing',
      () =>
        bring(FLAGS, {
          deploymentStrategy: FlagDeploymentStrategy.linear({
            percentage: 0,
            deploymentDuration: Duration.minutes(1),
            bakeTime: Duration.minutes(1),
          }),
        }),
      'percentage must be an integer between 1 and 100, got 0',
    ],
  ])('refuses %s', (_, attempt, message) => {
    expect(attempt).toThrow(message);
  });
});
