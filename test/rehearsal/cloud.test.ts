import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, CustomResource, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Alarm, Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { LambdaDeploymentConfig, LambdaDeploymentGroup, TrafficRouting } from 'aws-cdk-lib/aws-codedeploy';
import { AttributeType, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { type CloudEvent, RehearsalCloud } from '../../rehearsal/cloud';

/**
 * All services together, with a small stack of plain CDK code: a function behind an alias that CodeDeploy shifts, an
 * alarm on a metric that it logs, a hook, a queue, a table, a custom resource.
 */

const folder = mkdtempSync(join(tmpdir(), 'rehearsal-cloud-'));
/** Ten minutes of the cloud take three seconds. */
const SPEED = 200;

/** Fails as often as FAIL says, and says so in a metric. */
const WORKER = `
exports.handler = async () => {
  const errors = process.env.FAIL === 'yes' ? 1 : 0;
  const clock = JSON.parse(process.env.AGENT_LANES_CLOCK);
  const now = Math.round(clock.cloudEpochMs + (Date.now() - clock.realEpochMs) * clock.speed);
  console.log(JSON.stringify({
    _aws: { Timestamp: now, CloudWatchMetrics: [{ Namespace: 'Test', Dimensions: [['Release']], Metrics: [{ Name: 'Errors' }] }] },
    Release: process.env.RELEASE,
    Errors: errors,
  }));
  return { release: process.env.RELEASE };
};`;

const HOOK = `
const { CodeDeployClient, PutLifecycleEventHookExecutionStatusCommand } = require('@aws-sdk/client-codedeploy');
exports.handler = async ({ DeploymentId, LifecycleEventHookExecutionId }) => {
  await new CodeDeployClient({}).send(new PutLifecycleEventHookExecutionStatusCommand({
    deploymentId: DeploymentId, lifecycleEventHookExecutionId: LifecycleEventHookExecutionId, status: 'Succeeded',
  }));
};`;

const MAKER = `
exports.handler = async (event) => {
  await fetch(event.ResponseURL, { method: 'PUT', body: JSON.stringify({
    Status: 'SUCCESS', PhysicalResourceId: 'made', RequestId: event.RequestId, StackId: event.StackId,
    LogicalResourceId: event.LogicalResourceId, Data: { Release: event.ResourceProperties.Release },
  }) });
};`;

function code(name: string, source: string): Code {
  const directory = join(folder, name);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'index.js'), source);
  return Code.fromAsset(directory);
}

interface Release {
  readonly name: string;
  readonly fail?: boolean;
}

function synthesize({ name, fail = false }: Release): string {
  const outdir = join(folder, `assembly-${name}-${fail}`);
  const app = new App({ outdir, analyticsReporting: false });
  const stack = new Stack(app, 'Small');
  const runtime = Runtime.NODEJS_22_X;
  const handler = 'index.handler';
  const worker = new LambdaFunction(stack, 'Worker', {
    runtime,
    handler,
    code: code('worker', WORKER),
    environment: { RELEASE: name, FAIL: fail ? 'yes' : 'no' },
    currentVersionOptions: { removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE },
  });
  const live = worker.addAlias('live');
  const topic = new Topic(stack, 'Topic');
  const alarm = new Alarm(stack, 'Errors', {
    metric: new Metric({
      namespace: 'Test',
      metricName: 'Errors',
      dimensionsMap: { Release: name },
      statistic: 'Average',
      period: Duration.minutes(1),
    }),
    threshold: 0.5,
    evaluationPeriods: 1,
    treatMissingData: TreatMissingData.NOT_BREACHING,
  });
  alarm.addAlarmAction(new SnsAction(topic));
  new LambdaDeploymentGroup(stack, 'Group', {
    alias: live,
    alarms: [alarm],
    deploymentConfig: new LambdaDeploymentConfig(stack, 'Canary', {
      trafficRouting: TrafficRouting.timeBasedCanary({ percentage: 50, interval: Duration.minutes(10) }),
    }),
    preHook: new LambdaFunction(stack, 'Hook', { runtime, handler, code: code('hook', HOOK) }),
  });
  const queue = new Queue(stack, 'Queue', { visibilityTimeout: Duration.seconds(60), enforceSSL: true });
  live.addEventSource(new SqsEventSource(queue, { batchSize: 1 }));
  new TableV2(stack, 'Table', {
    partitionKey: { name: 'pk', type: AttributeType.STRING },
    deletionProtection: true,
    removalPolicy: RemovalPolicy.DESTROY,
  });
  const maker = new LambdaFunction(stack, 'Maker', { runtime, handler, code: code('maker', MAKER) });
  const made = new CustomResource(stack, 'Made', {
    resourceType: 'Custom::Made',
    serviceToken: maker.functionArn,
    properties: { Release: name },
  });
  made.node.addDependency(live);
  stack.exportValue(made.getAttString('Release'), { name: 'MadeRelease' });
  return app.synth().directory;
}

describe('the local cloud', () => {
  const events: CloudEvent[] = [];
  let cloud: RehearsalCloud;

  beforeAll(async () => {
    cloud = await RehearsalCloud.start({ speed: SPEED, seed: 1, onEvent: (event) => events.push(event) });
  });

  afterAll(async () => {
    await cloud.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const worker = () => cloud.physicalId('Small/Worker/Resource');

  /** Calls the alias again and again until the promise is settled. */
  async function underLoad<T>(running: Promise<T>): Promise<{ result: T; releases: Set<string> }> {
    const releases = new Set<string>();
    let over = false;
    running.finally(() => {
      over = true;
    });
    while (!over) {
      const { payload } = await cloud.lambda.invoke({
        function: worker(),
        qualifier: 'live',
        payload: '{}',
        type: 'RequestResponse',
      });
      releases.add(JSON.parse(payload).release);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return { result: await running, releases };
  }

  test('brings a stack up', async () => {
    const result = await cloud.deploy(synthesize({ name: 'one' }));
    expect(result).toMatchObject({ status: 'CREATE_COMPLETE' });
    expect(Object.values(result.outputs)).toContain('one');
    expect(cloud.alias(worker(), 'live')).toMatchObject({ version: '1', weights: {} });
    expect(cloud.deployments()).toEqual([]);
    expect(cloud.queues()).toMatchObject([{ visible: 0, inFlight: 0, delayed: 0 }]);
    expect(cloud.tables.names()).toHaveLength(1);
  });

  test('does nothing when nothing changed', async () => {
    await expect(cloud.deploy(synthesize({ name: 'one' }))).resolves.toMatchObject({ status: 'NO_CHANGES' });
  });

  test('shifts a good release by CodeDeploy', async () => {
    const { result, releases } = await underLoad(cloud.deploy(synthesize({ name: 'two' })));
    expect(result).toMatchObject({ status: 'UPDATE_COMPLETE' });
    expect([...releases].sort()).toEqual(['one', 'two']);
    expect(cloud.alias(worker(), 'live')).toMatchObject({ version: '2', weights: {} });
    const [deployment] = cloud.deployments();
    expect(deployment).toMatchObject({ status: 'Succeeded', shifts: [{ weight: 0.5 }, { weight: 1 }] });
    const [first, last] = deployment?.shifts ?? [];
    expect((last?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(10 * 60_000);
    expect(cloud.alarms()).toMatchObject([{ state: 'OK', hadData: true }]);
  });

  test('puts a bad release back when its alarm fires, and tells the topic', async () => {
    const { result } = await underLoad(cloud.deploy(synthesize({ name: 'three', fail: true })));
    expect(result).toMatchObject({
      status: 'UPDATE_ROLLBACK_COMPLETE',
      failedResource: { path: 'Small/Worker/Aliaslive/Resource', type: 'AWS::Lambda::Alias' },
      reason: expect.stringContaining('in ALARM'),
    });
    expect(cloud.alias(worker(), 'live')).toMatchObject({ version: '2', weights: {} });
    expect(cloud.deployments()[1]).toMatchObject({ status: 'Failed', shifts: [{ weight: 0.5 }, { weight: 0 }] });
    expect(Object.values(cloud.stackOutputs())).toContain('two');
    expect(events).toContainEqual(
      expect.objectContaining({ kind: 'notification', subject: expect.stringContaining('ALARM') }),
    );
  });

  test('takes the fixed release', async () => {
    const { result } = await underLoad(cloud.deploy(synthesize({ name: 'fixed' })));
    expect(result.status).toBe('UPDATE_COMPLETE');
    // The number of the version that was rolled back is not given again.
    expect(cloud.alias(worker(), 'live')).toMatchObject({ version: '4', weights: {} });
  });

  test('puts everything back when a resource after the shift fails', async () => {
    cloud.failResource('Small/Made/*', 'ordered by the test', 'update');
    const { result } = await underLoad(cloud.deploy(synthesize({ name: 'four' })));
    expect(result).toMatchObject({
      status: 'UPDATE_ROLLBACK_COMPLETE',
      reason: expect.stringContaining('ordered by the test'),
    });
    expect(cloud.deployments().at(-1)).toMatchObject({ status: 'Succeeded' });
    expect(cloud.alias(worker(), 'live')).toMatchObject({ version: '4', weights: {} });
  });

  test('has denied nothing and refused nothing on the way', () => {
    expect(cloud.iam.statistics().denied).toEqual([]);
    expect(cloud.refusedCalls()).toEqual({});
    expect(cloud.malformedMetricLines()).toEqual({ count: 0, examples: [] });
  });

  test('leaves nothing behind but what is retained', async () => {
    const result = await cloud.destroy();
    expect(result).toMatchObject({
      status: 'DELETE_COMPLETE',
      failures: [],
      deletionProtectionOverridden: ['Small/Table/Resource'],
    });
    expect(new Set(result.retained.map(({ type }) => type))).toEqual(new Set(['AWS::Lambda::Version']));
    expect(cloud.queues()).toEqual([]);
    expect(cloud.alarms()).toEqual([]);
    expect(cloud.resources()).toEqual([]);
  });
});
