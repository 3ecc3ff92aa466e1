import { Duration, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { AgentLane, AgentService, type AgentServiceAttributes, type IAgentService, QualityGate } from '../../../lib';
import { CapabilityFlag } from '../../../lib/flags';
import { supportAgent } from '../../support/agent-service';
import { testStack } from '../../support/stack';

function imported(more: Partial<AgentServiceAttributes> = {}) {
  const stack = testStack();
  const agent: IAgentService = AgentService.fromAgentServiceAttributes(stack, 'Support', {
    agentName: 'support',
    apiId: 'abc123',
    inbox: Queue.fromQueueArn(stack, 'Inbox', 'arn:aws:sqs:eu-west-1:111111111111:inbox'),
    ...more,
  });
  const role = new Role(stack, 'Caller', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
  return { stack, agent, role };
}

function actionsOf(template: Template): string[] {
  const [policy] = Object.values(template.findResources('AWS::IAM::Policy'));
  return policy?.Properties.PolicyDocument.Statement.flatMap(({ Action }: { Action: string | string[] }) => Action);
}

describe('an agent of another stack', () => {
  test('lets a role submit tasks over HTTP and through the inbox, and read them', () => {
    const { stack, agent, role } = imported();
    agent.grants.submit(role);
    agent.grants.read(role);
    const template = Template.fromStack(stack);
    template.resourceCountIs('AWS::Lambda::Function', 0);
    const [policy] = Object.values(template.findResources('AWS::IAM::Policy'));
    const [invoke, send] = policy?.Properties.PolicyDocument.Statement ?? [];
    expect(send).toEqual({
      Action: 'sqs:SendMessage',
      Effect: 'Allow',
      Resource: 'arn:aws:sqs:eu-west-1:111111111111:inbox',
    });
    expect(invoke).toMatchObject({ Action: 'execute-api:Invoke', Effect: 'Allow' });
    expect(invoke.Resource.map((arn: { 'Fn::Join': [string, unknown[]] }) => arn['Fn::Join'][1].at(-1))).toEqual([
      expect.stringMatching(/:abc123\/\$default\/GET\/tasks\/\*$/),
      expect.stringMatching(/:abc123\/\$default\/POST\/tasks$/),
    ]);
  });

  test('lets an operator redrive tasks and read transcripts, given the resources', () => {
    const { stack, agent, role } = imported();
    expect(() => agent.grants.redrive(role)).toThrow(/Support.*MissingAgentAttribute: .*without redriveFunction/);
    expect(() => agent.grants.readTranscripts(role)).toThrow(/MissingAgentAttribute: .*without payloads/);
    const complete = AgentService.fromAgentServiceAttributes(stack, 'Complete', {
      agentName: 'support',
      apiId: 'abc123',
      inbox: agent.inbox,
      redriveFunction: LambdaFunction.fromFunctionName(stack, 'Redrive', 'redrive'),
      payloads: Bucket.fromBucketName(stack, 'Payloads', 'payloads'),
    });
    complete.grants.redrive(role);
    complete.grants.readTranscripts(role);
    expect(actionsOf(Template.fromStack(stack))).toEqual(['lambda:InvokeFunction', 's3:GetObject', 's3:ListBucket']);
  });

  test('has the metrics and the endpoint of the agent', () => {
    const { stack, agent } = imported();
    expect(stack.resolve(agent.endpoint)).toEqual({
      'Fn::Join': ['', ['https://abc123.execute-api.', expect.anything(), '.', { Ref: 'AWS::URLSuffix' }]],
    });
    expect(agent.metricCost().dimensions).toEqual({ Agent: 'support' });
  });
});

describe('metrics of an agent', () => {
  const { agent } = imported();

  test('are of all tasks, of a lane, of a release, or of a value of a flag', () => {
    expect(agent.metricTasksFailed({ laneName: AgentLane.STABLE }).dimensions).toEqual({
      Agent: 'support',
      Lane: 'stable',
    });
    expect(agent.metricTasksFailed({ releaseId: 'r-0' }).dimensions).toEqual({ Agent: 'support', Release: 'r-0' });
    expect(agent.metricTasksFailed({ flag: 'newSearch=true' }).dimensions).toEqual({
      Agent: 'support',
      Flag: 'newSearch=true',
    });
    expect(agent.metricDuration({ period: Duration.minutes(1), statistic: 'p50' })).toMatchObject({
      metricName: 'TaskDuration',
      statistic: 'p50',
      period: Duration.minutes(1),
    });
  });

  test('are never of a combination that workers do not emit', () => {
    expect(() => agent.metricCost({ laneName: 'stable', releaseId: 'r-0' })).toThrow(/ConflictingMetricDimensions/);
    expect(() => agent.metricCost({ flag: 'newSearch' })).toThrow(/InvalidMetricFlag: .*got 'newSearch'/);
  });
});

describe('an agent that exists', () => {
  test('takes further gates: the deployment group watches them', () => {
    const agent = supportAgent(testStack());
    const alarm = agent.addGate('slow', QualityGate.latency({ p99: Duration.minutes(1) }));
    const template = Template.fromStack(Stack.of(agent));
    template.hasResourceProperties('AWS::CodeDeploy::DeploymentGroup', {
      AlarmConfiguration: {
        Alarms: Match.arrayWith([{ Name: Stack.of(agent).resolve(alarm.alarmName) }]),
        Enabled: true,
      },
      AutoRollbackConfiguration: { Events: Match.arrayWith(['DEPLOYMENT_STOP_ON_ALARM']) },
    });
  });

  test('takes further flags, if it has any', () => {
    const without = supportAgent(testStack());
    expect(() => without.addFlag('newSearch', CapabilityFlag.boolean())).toThrow(/MissingFlags: flag "newSearch"/);
    const agent = supportAgent(testStack(), { flags: { first: CapabilityFlag.boolean() } });
    agent.addFlag('second', CapabilityFlag.boolean({ gates: { errors: QualityGate.errorRate() } }));
    expect(() => agent.addFlag('second', CapabilityFlag.boolean())).toThrow(/DuplicateFlag: flag "second"/);
    const template = Template.fromStack(Stack.of(agent));
    template.hasResourceProperties('AWS::AppConfig::HostedConfigurationVersion', {
      Content: Match.serializedJson({
        first: { default: false, variant: true, percent: 0 },
        second: { default: false, variant: true, percent: 0 },
      }),
    });
    expect(Object.values(template.findResources('AWS::AppConfig::Environment'))[0]?.Properties.Monitors).toHaveLength(
      1,
    );
  });
});
