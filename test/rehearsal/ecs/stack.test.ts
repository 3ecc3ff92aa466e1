import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { SubnetType, Vpc } from 'aws-cdk-lib/aws-ec2';
import { Cluster, ContainerImage, FargateService, FargateTaskDefinition, LogDrivers } from 'aws-cdk-lib/aws-ecs';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { NotRehearsable, RehearsalCloud } from '../../../rehearsal/cloud';
import { eventually } from './support';

/** ECS as the CDK's own constructs use it, from an image asset to the log line. */

const folder = mkdtempSync(join(tmpdir(), 'rehearsal-fargate-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SCRIPT = `
process.on('SIGTERM', () => { console.log('bye from ' + process.env.RELEASE); process.exit(0); });
console.log('up: ' + process.env.RELEASE);
setInterval(() => {}, 1000);`;

function synthesize(release: string, dockerfile = 'FROM scratch\nCMD ["node", "index.js"]'): string {
  const outdir = mkdtempSync(join(folder, 'assembly-'));
  const app = new App({
    outdir,
    analyticsReporting: false,
    context: { '@aws-cdk/aws-ec2:restrictDefaultSecurityGroup': false },
  });
  const stack = new Stack(app, 'Agents');
  // The CDK's own classes do not fit its interfaces under exactOptionalPropertyTypes.
  const vpc = new Vpc(stack, 'Vpc', {
    natGateways: 0,
    maxAzs: 2,
    subnetConfiguration: [{ name: 'public', subnetType: SubnetType.PUBLIC }],
  });
  const cluster = new Cluster(stack, 'Cluster', { vpc });
  const image = mkdtempSync(join(folder, 'image-'));
  mkdirSync(image, { recursive: true });
  writeFileSync(join(image, 'Dockerfile'), dockerfile);
  writeFileSync(join(image, 'index.js'), SCRIPT);
  const tasks = new FargateTaskDefinition(stack, 'Tasks', { cpu: 256, memoryLimitMiB: 512 });
  tasks.addContainer('worker', {
    image: ContainerImage.fromAsset(image),
    environment: { RELEASE: release },
    stopTimeout: Duration.seconds(60),
    logging: LogDrivers.awsLogs({
      streamPrefix: 'worker',
      logGroup: new LogGroup(stack, 'Logs', { logGroupName: 'workers', removalPolicy: RemovalPolicy.DESTROY }),
    }),
  });
  new FargateService(stack, 'Service', {
    cluster,
    taskDefinition: tasks,
    desiredCount: 2,
    assignPublicIp: true,
    minHealthyPercent: 100,
    maxHealthyPercent: 200,
    circuitBreaker: { rollback: true },
  });
  return app.synth().directory;
}

test('runs a service from its image asset, replaces it with the next revision, and leaves nothing', async () => {
  const cloud = await RehearsalCloud.start({ speed: 60, seed: 1 });
  const lines = () => cloud.logLines('workers').map(({ message }) => message);
  try {
    expect(await cloud.deploy(synthesize('one'))).toMatchObject({ status: 'CREATE_COMPLETE' });
    expect(cloud.services()).toMatchObject([{ desired: 2, running: 2, deployments: [{ rolloutState: 'COMPLETED' }] }]);
    expect(cloud.serviceTasks().map(({ zone }) => zone)).toEqual(['us-east-1a', 'us-east-1b']);
    await eventually(() => lines().filter((line) => line === 'up: one').length === 2, 'both tasks');

    expect(await cloud.deploy(synthesize('two'))).toMatchObject({ status: 'UPDATE_COMPLETE' });
    await eventually(() => lines().filter((line) => line === 'up: two').length === 2, 'both new tasks');
    await eventually(() => lines().filter((line) => line === 'bye from one').length === 2, 'the end of the old ones');

    expect(await cloud.destroy()).toMatchObject({ status: 'DELETE_COMPLETE', failures: [] });
    expect(cloud.services()).toEqual([]);
    expect(cloud.iam.statistics().denied).toEqual([]);
  } finally {
    await cloud.stop();
  }
});

test('takes a failed update back: the old tasks run all the time', async () => {
  const cloud = await RehearsalCloud.start({ speed: 200, seed: 1 });
  try {
    await cloud.deploy(synthesize('one'));
    const before = cloud.serviceTasks().map(({ id }) => id);
    cloud.failResource('*Service*', 'ordered', 'update');
    expect(await cloud.deploy(synthesize('two'))).toMatchObject({ status: 'UPDATE_ROLLBACK_COMPLETE' });
    expect(cloud.serviceTasks().map(({ id, status }) => ({ id, status }))).toEqual(
      before.map((id) => ({ id, status: 'RUNNING' })),
    );
  } finally {
    await cloud.stop();
  }
});

test('refuses an image that it cannot run before anything is touched', async () => {
  const cloud = await RehearsalCloud.start({ speed: 60, seed: 1 });
  try {
    const deploying = cloud.deploy(synthesize('one', 'FROM scratch\nCMD node index.js'));
    await expect(deploying).rejects.toThrow(NotRehearsable);
    await expect(deploying).rejects.toThrow(
      /not rehearsable: image 123456789012\.dkr\.ecr\.us-east-1\.amazonaws\.com\/.* has a CMD that is not in exec form.*used by Agents\/Tasks\/Resource/,
    );
    expect(cloud.resources()).toEqual([]);
  } finally {
    await cloud.stop();
  }
});
