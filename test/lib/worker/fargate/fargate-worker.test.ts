import { join } from 'node:path';
import { Aws, Duration, Lazy, Size, Tags } from 'aws-cdk-lib';
import { Annotations, Match } from 'aws-cdk-lib/assertions';
import { Port, SecurityGroup, Vpc } from 'aws-cdk-lib/aws-ec2';
import { type IRepository, Repository } from 'aws-cdk-lib/aws-ecr';
import { Cluster, CpuArchitecture } from 'aws-cdk-lib/aws-ecs';
import { Key } from 'aws-cdk-lib/aws-kms';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { Transcripts } from '../../../../lib';
import { ContainerName, Env } from '../../../../lib/contract';
import { AgentImage, FargateCapacity, FargateNetwork, type FargateWorkerOptions } from '../../../../lib/worker';
import { agentFolder, codeFolder, SMALL_AGENT, testBehavior } from '../../../support/agent-folder';
import { testStack } from '../../../support/stack';
import { resourcesOf } from '../../../support/template';
import { actionsOf, build, containersOf, DIGEST, environmentOf, IMAGE, lane, ofType, only } from './support';

let entry: string;
beforeAll(() => {
  entry = join(codeFolder(), 'agent.ts');
});

/** A repository of the platform's. */
function repository(): IRepository {
  return Repository.fromRepositoryName(testStack(), 'Images', 'agents');
}

const LANES = ['stable', 'candidate'];

describe('containers of an agent with an image of its own', () => {
  const { stack, release } = build({ image: IMAGE, command: ['serve', '--quiet'], environment: { TEAM: 'support' } });
  const resources = resourcesOf(stack);

  test.each(LANES)('the worker stands beside the agent, and is stopped before it (%s)', (laneName) => {
    const { worker, agent, ...others } = containersOf(resources, laneName);
    expect(others).toEqual({});
    expect(worker).toMatchObject({
      Name: ContainerName.WORKER,
      Essential: true,
      DependsOn: [{ ContainerName: ContainerName.AGENT, Condition: 'START' }],
      StopTimeout: 120,
      ReadonlyRootFilesystem: true,
      HealthCheck: { Command: ['CMD', 'node', 'index.js', 'health'] },
    });
    expect(agent).toMatchObject({
      Name: ContainerName.AGENT,
      Essential: true,
      Image: `public.ecr.aws/acme/agent@${DIGEST}`,
      Command: ['serve', '--quiet'],
    });
  });

  test('the worker has the contract environment, and the agent its own and the port', () => {
    const { worker, agent } = containersOf(resources, 'stable');
    expect(environmentOf(agent)).toEqual({ TEAM: 'support', PORT: '8080' });
    expect(environmentOf(worker)).toEqual({
      [Env.AGENT]: 'support',
      [Env.RELEASE]: release.releaseId,
      [Env.TASKS_TABLE]: { Ref: expect.stringMatching(/^StoreTasks/) },
      [Env.SESSIONS_TABLE]: { Ref: expect.stringMatching(/^StoreSessions/) },
      [Env.CONTROL_TABLE]: { Ref: expect.stringMatching(/^StoreControl/) },
      [Env.PAYLOAD_BUCKET]: { Ref: expect.stringMatching(/^StorePayloads/) },
      [Env.BEHAVIOR_BUCKET]: expect.anything(),
      [Env.BEHAVIOR_KEY]: release.behaviorKey,
      [Env.SECRETS]: expect.anything(),
      [Env.QUEUES]: expect.anything(),
      [Env.DEAD_LETTER_QUEUES]: expect.anything(),
      [Env.TASK_RETENTION_DAYS]: '30',
      [Env.TRANSCRIPTS]: 'off',
      [Env.MAX_ATTEMPTS]: '5',
      [Env.MAX_RECEIVES]: '20',
      [Env.WORKER_TIMEOUT_SECONDS]: '3600',
      [Env.LANE]: 'stable',
      [Env.CONCURRENCY]: '10',
      [Env.PRIORITY_SHARES]: '{"high":0.5,"normal":0.35,"low":0.15}',
      [Env.STOP_TIMEOUT_SECONDS]: '120',
      [Env.AGENT_PORT]: '8080',
      [Env.WORKER_PORT]: '9400',
      AWS_REGION: { Ref: 'AWS::Region' },
    });
  });

  test('the lanes differ in what names the lane', () => {
    const [stable, candidate] = LANES.map((laneName) => environmentOf(containersOf(resources, laneName).worker));
    expect({ ...candidate, [Env.LANE]: 'stable' }).toEqual(stable);
    expect(candidate?.[Env.LANE]).toBe('candidate');
  });

  test('logs of a task can be told by lane and container, and never hold a task up', () => {
    const { worker, agent } = containersOf(resources, 'candidate');
    for (const container of [worker, agent]) {
      expect(container?.LogConfiguration).toMatchObject({
        LogDriver: 'awslogs',
        Options: { 'awslogs-stream-prefix': 'candidate', mode: 'non-blocking' },
      });
    }
    expect(ofType(stack, 'AWS::Logs::LogGroup')).toHaveLength(1);
    expect(only(stack, 'AWS::Logs::LogGroup')).toMatchObject({
      Properties: { RetentionInDays: 30 },
      DeletionPolicy: 'Delete',
    });
  });

  test('a revision outlives its successors', () => {
    for (const definition of ofType(stack, 'AWS::ECS::TaskDefinition')) {
      expect(definition).toMatchObject({
        Properties: { Cpu: '512', Memory: '1024', RequiresCompatibilities: ['FARGATE'], NetworkMode: 'awsvpc' },
        UpdateReplacePolicy: 'Retain',
        DeletionPolicy: 'RetainExceptOnCreate',
      });
    }
  });
});

describe('the container of a module', () => {
  test('is the worker alone, with the environment of the agent', () => {
    const { stack } = build({ entry, environment: { TEAM: 'support' } });
    const { worker, ...others } = containersOf(resourcesOf(stack), 'stable');
    expect(others).toEqual({});
    expect(worker).toMatchObject({ Essential: true, ReadonlyRootFilesystem: false });
    expect(worker).not.toHaveProperty('DependsOn');
    const environment = environmentOf(worker);
    expect(environment).toMatchObject({ TEAM: 'support', [Env.CONCURRENCY]: '10' });
    expect(environment).not.toHaveProperty(Env.AGENT_PORT);
  });

  test('takes what it is told', () => {
    const { stack, worker } = build(
      {
        entry,
        cpu: 2048,
        memorySize: Size.gibibytes(5),
        architecture: CpuArchitecture.ARM64,
        concurrency: 3,
        priorityShares: { high: 0.6, normal: 0.3, low: 0.1 },
        timeout: Duration.hours(2),
        stopTimeout: Duration.seconds(30),
        startTimeout: Duration.minutes(8),
        logRetention: RetentionDays.ONE_YEAR,
      },
      { context: { maxAttempts: 3, maxInFlightPerUser: 2, taskRetention: Duration.days(7) } },
    );
    expect(worker.startTimeout.toMinutes()).toBe(8);
    const { worker: container } = containersOf(resourcesOf(stack), 'stable');
    expect(container?.StopTimeout).toBe(30);
    expect(environmentOf(container)).toMatchObject({
      [Env.CONCURRENCY]: '3',
      [Env.PRIORITY_SHARES]: '{"high":0.6,"normal":0.3,"low":0.1}',
      [Env.WORKER_TIMEOUT_SECONDS]: '7200',
      [Env.STOP_TIMEOUT_SECONDS]: '30',
      [Env.MAX_ATTEMPTS]: '3',
      [Env.MAX_IN_FLIGHT_PER_USER]: '2',
      [Env.TASK_RETENTION_DAYS]: '7',
    });
    expect(ofType(stack, 'AWS::ECS::TaskDefinition')[0]?.Properties).toMatchObject({
      Cpu: '2048',
      Memory: '5120',
      RuntimePlatform: { CpuArchitecture: 'ARM64', OperatingSystemFamily: 'LINUX' },
    });
    expect(only(stack, 'AWS::Logs::LogGroup').Properties).toMatchObject({ RetentionInDays: 365 });
  });

  test('warns of what the bundler found odd', () => {
    const folder = codeFolder({ 'shout.ts': 'export const shout = (text: string) => text + import.meta.url;\n' });
    const { stack } = build({ entry: join(folder, 'agent.ts') });
    // The CDK prints the warning as well.
    const printed = jest.spyOn(console, 'error').mockReturnValue(undefined);
    Annotations.fromStack(stack).hasWarning('/Test/Worker', Match.stringLikeRegexp('shout\\.ts:1:.*import\\.meta'));
    printed.mockRestore();
  });
});

describe('services', () => {
  test('leave the number of workers to the scaling, deploy behind a breaker, and let old workers finish', () => {
    const { stack } = build();
    const services = ofType(stack, 'AWS::ECS::Service');
    expect(services).toHaveLength(2);
    for (const { Properties } of services) {
      expect(Properties).not.toHaveProperty('DesiredCount');
      expect(Properties).toMatchObject({
        AvailabilityZoneRebalancing: 'ENABLED',
        DeploymentConfiguration: {
          MinimumHealthyPercent: 100,
          MaximumPercent: 300,
          DeploymentCircuitBreaker: { Enable: true, Rollback: true },
          EarlySuccessCriteria: { Enable: true, HealthyPercent: 100, SourceServiceRevisionCleanup: 'DEFERRED' },
        },
      });
    }
  });

  test('start when their roles may do what they must', () => {
    const { stack } = build();
    for (const { DependsOn } of ofType(stack, 'AWS::ECS::Service')) {
      expect(DependsOn).toEqual(
        expect.arrayContaining([
          expect.stringMatching(/^WorkerRoleDefaultPolicy/),
          expect.stringMatching(/^WorkerExecutionRoleDefaultPolicy/),
          expect.stringMatching(/^WorkerVpcWorkerSubnet1DefaultRoute/),
        ]),
      );
    }
  });

  test.each<[string, () => FargateCapacity, object[]]>([
    ['on demand', () => FargateCapacity.onDemand(), [{ CapacityProvider: 'FARGATE', Weight: 1 }]],
    ['on Spot', () => FargateCapacity.spot(), [{ CapacityProvider: 'FARGATE_SPOT', Weight: 1 }]],
    [
      'on both',
      () => FargateCapacity.mix({ onDemandBase: 3, spotWeight: 4 }),
      [
        { CapacityProvider: 'FARGATE', Base: 3, Weight: 1 },
        { CapacityProvider: 'FARGATE_SPOT', Weight: 4 },
      ],
    ],
  ])('run %s', (_, capacity, strategy) => {
    const { stack } = build({ image: IMAGE, capacity: capacity() });
    for (const { Properties } of ofType(stack, 'AWS::ECS::Service')) {
      expect(Properties?.CapacityProviderStrategy).toEqual(strategy);
    }
    expect(only(stack, 'AWS::ECS::Cluster').Properties?.CapacityProviders).toEqual(['FARGATE', 'FARGATE_SPOT']);
  });

  test('warn of Spot alone where workers are kept ready', () => {
    const { stack } = build(
      { image: IMAGE, capacity: FargateCapacity.spot() },
      { context: { availability: { standby: 2, floor: 2 } } },
    );
    const printed = jest.spyOn(console, 'error').mockReturnValue(undefined);
    Annotations.fromStack(stack).hasWarning('/Test/Worker', Match.stringLikeRegexp('all workers run on Spot'));
    printed.mockRestore();
  });

  test('run in a cluster that is handed in, and in its VPC', () => {
    const stack = testStack();
    const vpc = new Vpc(stack, 'Platform', { natGateways: 1 });
    const cluster = new Cluster(stack, 'Cluster', { vpc: vpc });
    build({ image: IMAGE, cluster: cluster }, { stack });
    expect(ofType(stack, 'AWS::ECS::Cluster')).toHaveLength(1);
    for (const { Properties } of ofType(stack, 'AWS::ECS::Service')) {
      expect(Properties).toMatchObject({
        Cluster: stack.resolve(cluster.clusterName),
        NetworkConfiguration: {
          AwsvpcConfiguration: {
            AssignPublicIp: 'DISABLED',
            Subnets: stack.resolve(vpc.privateSubnets.map(({ subnetId }) => subnetId)),
          },
        },
      });
    }
  });

  test('return what an order can be given to', () => {
    const { stack, worker } = build({ image: IMAGE }, { lanes: [] });
    const gate = new Queue(stack, 'Gate');
    const after = new Queue(stack, 'After');
    const { carrier, consumers } = worker.attachLane(lane(stack, 'candidate', worker.visibilityTimeout));
    carrier.node.addDependency(gate);
    after.node.addDependency(...consumers);
    expect(only(stack, 'AWS::ECS::Service').DependsOn).toContain(stack.getLogicalId(gate.node.defaultChild as never));
    const later = Object.entries(resourcesOf(stack)).find(([id]) => id.startsWith('After'))?.[1];
    expect([later?.DependsOn ?? []].flat().sort()).toEqual(
      Object.entries(resourcesOf(stack))
        .filter(([, { Type }]) => /ApplicationAutoScaling|CloudWatch::Alarm/.test(Type))
        .map(([id]) => id)
        .sort(),
    );
  });
});

describe('permissions', () => {
  const { stack } = build();

  test('of the agent and its worker are what they need and nothing more', () => {
    expect(actionsOf(stack, 'WorkerRole')).toEqual([
      'dynamodb:GetItem',
      'dynamodb:PutItem',
      'dynamodb:Query',
      'dynamodb:UpdateItem',
      'ecs:GetTaskProtection',
      'ecs:UpdateTaskProtection',
      's3:GetObject',
      's3:ListBucket',
      's3:PutObject',
      'secretsmanager:DescribeSecret',
      'secretsmanager:GetSecretValue',
      'sqs:ChangeMessageVisibility',
      'sqs:DeleteMessage',
      'sqs:ReceiveMessage',
      'sqs:SendMessage',
      'xray:PutTraceSegments on *',
    ]);
  });

  test('to start a container are to fetch its images and to write its log', () => {
    expect(actionsOf(stack, 'WorkerExecutionRole')).toEqual([
      'ecr:BatchCheckLayerAvailability',
      'ecr:BatchGetImage',
      'ecr:GetAuthorizationToken on *',
      'ecr:GetDownloadUrlForLayer',
      'logs:CreateLogStream',
      'logs:PutLogEvents',
    ]);
  });

  test('no role has a policy of AWS, or trusts anybody but tasks', () => {
    const roles = ofType(stack, 'AWS::IAM::Role');
    expect(roles).toHaveLength(2);
    for (const { Properties } of roles) {
      expect(Properties).not.toHaveProperty('ManagedPolicyArns');
      expect(JSON.stringify(Properties?.AssumeRolePolicyDocument)).toContain('ecs-tasks.amazonaws.com');
    }
  });

  test('reach the tasks of its own cluster and no others', () => {
    const policy = JSON.stringify(ofType(stack, 'AWS::IAM::Policy'));
    expect(policy).toMatch(/":task\/",\{"Ref":"WorkerCluster\w+"\},"\/\*"/);
  });

  test('grow with what the service has, and with what it is granted', () => {
    const other = testStack();
    const webhookQueue = new Queue(other, 'Webhooks');
    const { worker } = build(
      { image: IMAGE },
      { stack: other, context: { webhookQueue, transcripts: Transcripts.record({ retention: Duration.days(30) }) } },
    );
    new Bucket(other, 'Data').grantRead(worker);
    const policies = JSON.stringify(ofType(other, 'AWS::IAM::Policy'));
    expect(policies).toContain('/transcripts/*');
    expect(policies).toContain('Webhooks');
    expect(policies).toContain('"Data');
  });

  test('let the key of encrypted queues be used', () => {
    const other = testStack();
    const key = new Key(other, 'LaneKey');
    const { worker } = build({ image: IMAGE }, { stack: other, lanes: [] });
    const lanes = lane(other, 'stable', worker.visibilityTimeout);
    const high = new Queue(other, 'Encrypted', { encryptionMasterKey: key });
    worker.attachLane({ ...lanes, high });
    expect(actionsOf(other, 'WorkerRole')).toEqual(expect.arrayContaining(['kms:Decrypt', 'kms:GenerateDataKey']));
  });

  test('of a private registry are those of its secret', () => {
    const other = testStack();
    const credentials = new Secret(other, 'Registry');
    build({ image: AgentImage.digest(`registry.example.com/agent@${DIGEST}`, { credentials }) }, { stack: other });
    expect(actionsOf(other, 'WorkerExecutionRole')).toContain('secretsmanager:GetSecretValue');
    expect(containersOf(resourcesOf(other), 'stable').agent?.RepositoryCredentials).toEqual({
      CredentialsParameter: { Ref: expect.stringMatching(/^Registry/) },
    });
  });
});

describe('release', () => {
  const releaseOf = (props: Partial<FargateWorkerOptions>) => build({ image: IMAGE, ...props }).release;
  const plain = releaseOf({});

  test.each<[string, () => Partial<FargateWorkerOptions>]>([
    ['cpu', () => ({ cpu: 256 })],
    ['memory', () => ({ memorySize: Size.gibibytes(2) })],
    ['architecture', () => ({ architecture: CpuArchitecture.ARM64 })],
    ['timeout', () => ({ timeout: Duration.minutes(30) })],
    ['stopTimeout', () => ({ stopTimeout: Duration.seconds(60) })],
    ['concurrency', () => ({ concurrency: 4 })],
    ['port', () => ({ port: 9000 })],
    ['command', () => ({ command: ['serve'] })],
    ['an environment value', () => ({ environment: { TEAM: 'a' } })],
    ['the image of the worker', () => ({ workerImage: AgentImage.digest(`registry.example.com/worker@${DIGEST}`) })],
    ['the base of the worker', () => ({ baseImage: `registry.example.com/node@${DIGEST}` })],
  ])('changes with %s, and the code does not', (_, make) => {
    const changed = releaseOf(make());
    expect(changed.componentDigests.worker).not.toBe(plain.componentDigests.worker);
    expect(changed.componentDigests.code).toBe(plain.componentDigests.code);
  });

  test('names the digest of the image as its code', () => {
    expect(plain.componentDigests.code).toBe('a'.repeat(64));
    const other = releaseOf({ image: AgentImage.digest(`public.ecr.aws/acme/agent@sha256:${'b'.repeat(64)}`) });
    expect(other.releaseId).not.toBe(plain.releaseId);
    expect(other.componentDigests.worker).toBe(plain.componentDigests.worker);
  });

  test('does not change with what concerns no single task', () => {
    const other = releaseOf({
      scaling: { min: 4, max: 20 },
      capacity: FargateCapacity.spot(),
      network: FargateNetwork.publicSubnets(),
      priorityShares: { high: 0.2, normal: 0.2, low: 0.6 },
      logRetention: RetentionDays.ONE_DAY,
      startTimeout: Duration.minutes(2),
    });
    expect(other.releaseId).toBe(plain.releaseId);
  });

  test('knows a value that is decided at deployment by its name', () => {
    const one = releaseOf({ environment: { REGION: Aws.REGION } });
    expect(releaseOf({ environment: { REGION: Aws.ACCOUNT_ID } }).releaseId).toBe(one.releaseId);
    expect(one.releaseId).not.toBe(plain.releaseId);
  });

  test('of a module is the same from another folder, and another with other code', () => {
    const of = (folder: string) => build({ entry: join(folder, 'agent.ts') }).release;
    const first = of(codeFolder());
    expect(of(codeFolder()).releaseId).toBe(first.releaseId);
    const other = of(codeFolder({ 'shout.ts': 'export const shout = (text: string): string => text;\n' }));
    expect(other.componentDigests.code).not.toBe(first.componentDigests.code);
    expect(other.componentDigests.worker).toBe(first.componentDigests.worker);
  });
});

describe('version', () => {
  const versionOf = (props: Partial<FargateWorkerOptions> = {}, options: Parameters<typeof build>[1] = {}) => {
    const { stack, worker } = build({ image: IMAGE, ...props }, options);
    return stack.resolve(worker.version) as string;
  };
  const plain = versionOf();

  test('is a digest, whatever is decided at deployment', () => {
    expect(plain).toMatch(/^f-[0-9a-f]{12}$/);
    expect(versionOf()).toBe(plain);
  });

  test.each<[string, () => Partial<FargateWorkerOptions>]>([
    ['memory', () => ({ memorySize: Size.gibibytes(2) })],
    ['an environment value', () => ({ environment: { TEAM: 'a' } })],
    ['the sidecar', () => ({ workerImage: AgentImage.digest(`registry.example.com/worker@${DIGEST}`) })],
    [
      'the shares of the queues, which are no part of the release',
      () => ({ priorityShares: { high: 0.2, normal: 0.2, low: 0.6 } }),
    ],
    ['the kind of capacity', () => ({ capacity: FargateCapacity.mix() })],
  ])('changes with %s', (_, make) => {
    expect(versionOf(make())).not.toBe(plain);
  });

  test('changes with the network', () => {
    const image = AgentImage.ecr(repository(), DIGEST);
    expect(versionOf({ image, network: FargateNetwork.isolated() })).not.toBe(versionOf({ image }));
  });

  test('changes with a prompt', () => {
    const behavior = testBehavior({ ...SMALL_AGENT, 'prompts/style.txt': 'Be curt.\n' });
    expect(versionOf({}, { behavior })).not.toBe(plain);
  });

  test('changes with what is added to a task definition by hand', () => {
    const { stack, worker } = build();
    const definition = stack.node.findAll().find((child) => child.node.path.endsWith('Stable/Tasks/Resource'));
    (definition as unknown as { addPropertyOverride(path: string, value: unknown): void }).addPropertyOverride(
      'EphemeralStorage.SizeInGiB',
      30,
    );
    expect(stack.resolve(worker.version)).not.toBe(plain);
  });

  test('does not change with scaling, tags, grants or a neighbor', () => {
    expect(versionOf({ scaling: { min: 3, max: 30, backlogPerWorker: 2 } })).toBe(plain);
    const tagged = testStack();
    Tags.of(tagged).add('team', 'support');
    expect(versionOf({}, { stack: tagged })).toBe(plain);
    const { stack, worker } = build();
    new Bucket(stack, 'Data').grantRead(worker);
    expect(stack.resolve(worker.version)).toBe(plain);
  });
});

describe('network', () => {
  test('is by default a VPC of its own with public subnets, which allows no inbound traffic and has no NAT gateway', () => {
    const { stack } = build();
    expect(ofType(stack, 'AWS::EC2::NatGateway')).toEqual([]);
    expect(ofType(stack, 'AWS::EC2::Subnet')).toHaveLength(2);
    for (const { Properties } of ofType(stack, 'AWS::EC2::Subnet')) {
      expect(Properties?.MapPublicIpOnLaunch).toBe(false);
    }
    expect(only(stack, 'AWS::EC2::SecurityGroup').Properties).not.toHaveProperty('SecurityGroupIngress');
    expect(ofType(stack, 'AWS::EC2::SecurityGroupIngress')).toEqual([]);
    for (const { Properties } of ofType(stack, 'AWS::ECS::Service')) {
      expect(Properties?.NetworkConfiguration).toMatchObject({ AwsvpcConfiguration: { AssignPublicIp: 'ENABLED' } });
    }
    // Nothing that would have to run at a deployment.
    expect(Object.values(resourcesOf(stack)).filter(({ Type }) => /Lambda|Custom/.test(Type))).toEqual([]);
  });

  test('without a way out has an endpoint for each service that the worker calls', () => {
    // The CDK prints its warning of the model.
    const printed = jest.spyOn(console, 'error').mockReturnValue(undefined);
    const { stack } = build({ entry, network: FargateNetwork.isolated() });
    const services = ofType(stack, 'AWS::EC2::VPCEndpoint').map(({ Properties }) =>
      JSON.stringify(Properties?.ServiceName).replace(/.*[".]([\w.]+)"\]?.*/, '$1'),
    );
    expect(services.sort()).toEqual(['api', 'dkr', 'dynamodb', 'logs', 's3', 'secretsmanager', 'sqs', 'xray'].sort());
    expect(ofType(stack, 'AWS::EC2::InternetGateway')).toEqual([]);
    const [ingress] = ofType(stack, 'AWS::EC2::SecurityGroupIngress');
    expect(ingress?.Properties).toMatchObject({
      FromPort: 443,
      SourceSecurityGroupId: { 'Fn::GetAtt': [expect.stringMatching(/^WorkerSecurityGroup/), 'GroupId'] },
    });
    for (const { DependsOn, Properties } of ofType(stack, 'AWS::ECS::Service')) {
      expect(Properties?.NetworkConfiguration).toMatchObject({ AwsvpcConfiguration: { AssignPublicIp: 'DISABLED' } });
      expect(DependsOn).toEqual(expect.arrayContaining([expect.stringMatching(/^WorkerEndpointssqs/)]));
    }
    printed.mockRestore();
  });

  test('is the one that is given, with security groups of its own or given ones', () => {
    const stack = testStack();
    const vpc = new Vpc(stack, 'Platform', { natGateways: 1 });
    const group = new SecurityGroup(stack, 'Group', { vpc });
    const { worker } = build(
      {
        image: IMAGE,
        network: FargateNetwork.vpc(vpc, { subnets: { subnets: vpc.privateSubnets } }),
        securityGroups: [group],
      },
      { stack },
    );
    const database = new SecurityGroup(stack, 'Database', { vpc });
    database.connections.allowFrom(worker, Port.tcp(5432));
    for (const { Properties } of ofType(stack, 'AWS::ECS::Service')) {
      expect(Properties?.NetworkConfiguration).toMatchObject({
        AwsvpcConfiguration: { SecurityGroups: [stack.resolve(group.securityGroupId)] },
      });
    }
    expect(ofType(stack, 'AWS::EC2::VPC')).toHaveLength(1);
    expect(ofType(stack, 'AWS::EC2::SecurityGroupIngress')[0]?.Properties).toMatchObject({ FromPort: 5432 });
  });

  test('refuses public subnets without an address, and takes them with one', () => {
    const publicOnly = (assignPublicIp: boolean) => {
      const stack = testStack();
      const vpc = new Vpc(stack, 'Platform', {
        natGateways: 0,
        subnetConfiguration: [{ name: 'P', subnetType: 'Public' as never }],
      });
      return build({ image: IMAGE, network: FargateNetwork.vpc(vpc, { assignPublicIp }) }, { stack });
    };
    expect(() => publicOnly(false)).toThrow(/\[Test\/Worker\] MissingPublicAddress: .*set assignPublicIp/);
    expect(() => publicOnly(true)).not.toThrow();
  });

  test('refuses one zone where workers are kept ready', () => {
    const inZones = (maxAzs: number) => {
      const stack = testStack();
      const vpc = new Vpc(stack, 'Platform', { natGateways: 1, maxAzs });
      const context = { availability: { standby: 2, floor: 2 } };
      return build({ image: IMAGE, network: FargateNetwork.vpc(vpc) }, { stack, context });
    };
    expect(() => inZones(1)).toThrow(
      /TooFewAvailabilityZones: the subnets of the worker must be in at least two zones, got a token:/,
    );
    expect(() => inZones(2)).not.toThrow();
  });

  test('refuses an image from elsewhere in a network without a way out', () => {
    expect(() => build({ image: IMAGE, network: FargateNetwork.isolated() })).toThrow(
      /UnreachableImage: an image of the worker is in a registry outside AWS/,
    );
  });

  test('warns of a model that cannot be reached', () => {
    const { stack } = build({ entry, network: FargateNetwork.isolated() });
    const printed = jest.spyOn(console, 'error').mockReturnValue(undefined);
    Annotations.fromStack(stack).hasWarning('/Test/Worker', Match.stringLikeRegexp('served by anthropic'));
    printed.mockRestore();
  });
});

describe('images', () => {
  test.each<[string, RegExp]>([
    [
      'acme/agent:1.4',
      /MissingImageDigest: image must be registry\/name@sha256:… .*got "acme\/agent:1\.4".*imagetools inspect acme\/agent:1\.4"/,
    ],
    ['acme/agent', /MissingImageDigest/],
    ['acme/agent@sha256:abc', /MissingImageDigest/],
    [`acme/agent:1.4@${DIGEST}`, /MissingImageDigest: image must have a digest without a tag/],
    [
      `123456789012.dkr.ecr.eu-west-1.amazonaws.com/agent@${DIGEST}`,
      /UnsupportedImageRegistry: .*AgentImage\.ecr\(Repository\.fromRepositoryArn\(…\), 'sha256:a/,
    ],
  ])('refuses %s', (reference, message) => {
    expect(() => AgentImage.digest(reference)).toThrow(message);
  });

  test('takes a registry with a port', () => {
    expect(() => AgentImage.digest(`registry.example.com:5000/agent@${DIGEST}`)).not.toThrow();
  });

  test('refuses a tag in ECR, and lets a digest be pulled', () => {
    expect(() => AgentImage.ecr(repository(), 'latest')).toThrow(
      /MissingImageDigest: digest of the image must be sha256: .*got "latest"/,
    );
    const { stack } = build({ image: AgentImage.ecr(repository(), DIGEST) });
    expect(JSON.stringify(containersOf(resourcesOf(stack), 'stable').agent?.Image)).toContain(`@${DIGEST}`);
    expect(JSON.stringify(ofType(stack, 'AWS::IAM::Policy'))).toContain(':repository/agents');
  });

  test('that are built are known by what they are built from, wherever that lies', () => {
    const folder = (text: string) => agentFolder({ Dockerfile: 'FROM scratch\n', 'main.py': text });
    const releaseOf = (directory: string) => build({ image: AgentImage.asset(directory) }).release;
    const first = releaseOf(folder('print(1)'));
    expect(releaseOf(folder('print(1)')).releaseId).toBe(first.releaseId);
    expect(releaseOf(folder('print(2)')).componentDigests.code).not.toBe(first.componentDigests.code);
  });

  test('that are built are published under the digest that the release names', () => {
    const { stack, release } = build({ image: AgentImage.asset(agentFolder({ Dockerfile: 'FROM scratch\n' })) });
    const { agent } = containersOf(resourcesOf(stack), 'stable');
    expect(JSON.stringify(agent?.Image)).toContain(release.componentDigests.code);
  });

  test('refuses a folder without a Dockerfile', () => {
    expect(() => build({ image: AgentImage.asset(agentFolder({ 'main.py': '' })) })).toThrow(
      /MissingImageSource: image folder ".*" has no Dockerfile/,
    );
  });
});

describe('refusals', () => {
  const number = () => Lazy.number({ produce: () => 1 });
  test.each<[string, () => FargateWorkerOptions, RegExp]>([
    ['neither entry nor image', () => ({}), /MissingImage: the worker has neither entry nor image/],
    ['both', () => ({ entry, image: IMAGE }), /ConflictingImage: the worker has both entry and image/],
    ['an entry that is a token', () => ({ entry: Aws.STACK_NAME }), /UnresolvedWorker: worker entry is a token/],
    ['a port beside entry', () => ({ entry, port: 80 }), /ConflictingImageOption: port is set together with entry/],
    ['a command beside entry', () => ({ entry, command: ['x'] }), /ConflictingImageOption: command is set/],
    [
      'a worker image beside entry',
      () => ({ entry, workerImage: IMAGE }),
      /ConflictingImageOption: workerImage is set/,
    ],
    [
      'a base of an image that is built',
      () => ({ image: IMAGE, workerImage: IMAGE, baseImage: `node@${DIGEST}` }),
      /ConflictingBaseImage: baseImage is "node@sha256/,
    ],
    [
      'a base without digest',
      () => ({ entry, baseImage: 'node:24' }),
      /MissingImageDigest: baseImage must be .*got "node:24"/,
    ],
    [
      'PORT',
      () => ({ image: IMAGE, environment: { PORT: '1' } }),
      /ReservedEnvironmentVariable: environment variable PORT/,
    ],
    [
      'a variable of the library',
      () => ({ entry, environment: { AGENT_LANES_LANE: 'x' } }),
      /ReservedEnvironmentVariable/,
    ],
    ["the worker's port", () => ({ image: IMAGE, port: 9400 }), /InvalidPort: port must be an integer .* got 9400/],
    ['no port', () => ({ image: IMAGE, port: 0 }), /InvalidPort/],
    [
      'no concurrency',
      () => ({ entry, concurrency: 0 }),
      /InvalidConcurrency: concurrency must be an integer between 1 and 100, got 0/,
    ],
    ['a concurrency that is a token', () => ({ entry, concurrency: number() }), /InvalidConcurrency: .*a token/],
    [
      'shares that do not sum to 1',
      () => ({ entry, priorityShares: { high: 0.5, normal: 0.5, low: 0.5 } }),
      /InvalidPriorityShares/,
    ],
    [
      'a timeout past the 12 hours of a message',
      () => ({ entry, timeout: Duration.hours(12) }),
      /InvalidTimeout: timeout of the worker must be whole seconds between 1 and 43140, got 12 hours .*quotas-messages/,
    ],
    ['no timeout', () => ({ entry, timeout: Duration.seconds(0) }), /InvalidTimeout/],
    [
      'a stopTimeout that Fargate does not give',
      () => ({ entry, stopTimeout: Duration.seconds(121) }),
      /InvalidStopTimeout: stopTimeout of the worker must be whole seconds between 2 and 120, got 2 minutes 1 second/,
    ],
    ['too short a stopTimeout', () => ({ entry, stopTimeout: Duration.seconds(1) }), /InvalidStopTimeout/],
    [
      'a start that no preflight can wait for',
      () => ({ entry, startTimeout: Duration.minutes(16) }),
      /InvalidStartTimeout: startTimeout of the worker must be whole seconds between 1 and 900, got 16 minutes/,
    ],
    [
      'no most',
      () => ({ entry, scaling: { max: 0 } }),
      /InvalidScalingMax: scaling\.max must be an integer between 1 and 1000, got 0/,
    ],
    [
      'too high a most',
      () => ({ entry, scaling: { max: 1001 } }),
      /InvalidScalingMax: scaling\.max must be an integer between 1 and 1000, got 1001/,
    ],
    [
      'a negative least',
      () => ({ entry, scaling: { min: -1 } }),
      /InvalidScalingMin: scaling\.min must be an integer between 0 and 1000, got -1/,
    ],
    [
      'no floor',
      () => ({ entry, scaling: { floor: 0 } }),
      /InvalidScalingFloor: scaling\.floor must be an integer between 1 and 1000, got 0/,
    ],
    ['no backlog', () => ({ entry, scaling: { backlogPerWorker: 0 } }), /InvalidBacklogPerWorker/],
    [
      'more at least than at most',
      () => ({ entry, scaling: { min: 5, max: 4 } }),
      /ConflictingScaling: scaling\.max must be at least 5, .*\(min 5, floor 2\), got 4/,
    ],
    [
      'half a minute of waiting',
      () => ({ entry, scaling: { scaleInAfter: Duration.seconds(30) } }),
      /InvalidScaleInAfter: scaling\.scaleInAfter must be whole minutes between 1 and 60, got 30 seconds/,
    ],
    ['an odd size', () => ({ entry, cpu: 1024, memorySize: Size.gibibytes(1) }), /InvalidTaskSize/],
  ])('refuses %s', (_, make, message) => {
    expect(() => build(make())).toThrow(message);
  });

  test.each<[Parameters<typeof FargateCapacity.mix>[0], RegExp]>([
    [
      { onDemandBase: -1 },
      /InvalidCapacityMix: onDemandBase of FargateCapacity\.mix must be an integer between 0 and 100000, got -1/,
    ],
    [{ spotWeight: 0 }, /spotWeight of FargateCapacity\.mix must be an integer between 1 and 1000, got 0/],
    [{ onDemandWeight: 0.5 }, /InvalidCapacityMix/],
  ])('refuses the mix %p', (options, message) => {
    expect(() => FargateCapacity.mix(options)).toThrow(message);
  });

  test('refuses a model whose secret was not handed in', () => {
    expect(() => build({ image: IMAGE }, { secrets: () => ({}) })).toThrow(
      /MissingModelSecret: .* the service has no secrets/,
    );
  });

  test('refuses another log retention than that of the environment', () => {
    const logRetention = RetentionDays.ONE_WEEK;
    expect(() => build({ image: IMAGE, logRetention }, { context: { logRetention: RetentionDays.ONE_DAY } })).toThrow(
      /ConflictingEnvironment: logRetention is 7 days in the options of WorkerSpec\.fargate and 1 days in the environment/,
    );
  });

  test('refuses a lane twice, and one with too few receives', () => {
    const { stack, worker } = build({ image: IMAGE }, { lanes: [], context: { maxAttempts: 6 } });
    expect(() => worker.attachLane(lane(stack, 'short', worker.visibilityTimeout, 20))).toThrow(/TooFewReceives/);
    const stable = lane(stack, 'stable', worker.visibilityTimeout, 21);
    worker.attachLane(stable);
    expect(() => worker.attachLane(stable)).toThrow(/DuplicateLane/);
  });
});

test('a message is hidden for as long as a worker may need to claim it, whatever the timeout', () => {
  const { worker } = build({ image: IMAGE, timeout: Duration.hours(10) });
  expect(worker.visibilityTimeout.toSeconds()).toBe(120);
});
