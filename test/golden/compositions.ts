import { type App, Duration, RemovalPolicy, Size, Stack } from 'aws-cdk-lib';
import { InterfaceVpcEndpointAwsService, SecurityGroup, Vpc } from 'aws-cdk-lib/aws-ec2';
import { Repository } from 'aws-cdk-lib/aws-ecr';
import { Cluster, CpuArchitecture } from 'aws-cdk-lib/aws-ecs';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { FargateAgentStack } from '../../examples/fargate-agent/fargate-agent-stack';
import { SupportStack } from '../../examples/support-agent/support-stack';
import {
  AgentEnvironment,
  AgentImage,
  AgentService,
  AgentStore,
  Behavior,
  CapabilityFlag,
  Evidence,
  FargateCapacity,
  FargateNetwork,
  GateSeverity,
  InFlightTaskPolicy,
  IntakeAuth,
  ModelSpec,
  QualityGate,
  Rollout,
  TrafficShift,
  Transcripts,
  Webhooks,
  WorkerSpec,
} from '../../lib';
import { testModel } from '../support/agent-folder';
import { AGENT_ENTRY, AGENT_FOLDER, leastProps } from '../support/agent-service';

/** An agent in a VPC of the platform's, with a key of the platform's, every recording on and every grant given. */
export function importedVpcAndOwnKey(app: App): Stack {
  const stack = new Stack(app, 'ImportedVpc', { env: { account: '123456789012', region: 'eu-west-1' } });
  const vpc = Vpc.fromVpcAttributes(stack, 'Vpc', {
    vpcId: 'vpc-12345678',
    availabilityZones: ['eu-west-1a', 'eu-west-1b'],
    privateSubnetIds: ['subnet-1', 'subnet-2'],
    privateSubnetRouteTableIds: ['rtb-1', 'rtb-2'],
  });
  const encryptionKey = new Key(stack, 'Key', { enableKeyRotation: true });
  const securityGroup = SecurityGroup.fromSecurityGroupId(stack, 'Group', 'sg-12345678');
  const agent = new AgentService(stack, 'Agent', {
    ...leastProps(stack),
    worker: WorkerSpec.lambda({ entry: AGENT_ENTRY, vpc, securityGroups: [securityGroup] }),
    encryptionKey,
    rollout: Rollout.codeDeploy(TrafficShift.linear({ percentage: 20, interval: Duration.minutes(15) }), {
      onRollback: InFlightTaskPolicy.REQUEUE,
    }),
    webhooks: Webhooks.signed({ vpc, securityGroups: [securityGroup], privateHosts: ['hooks.example.internal'] }),
    transcripts: Transcripts.record({ retention: Duration.days(365) }),
    gates: {
      errors: QualityGate.errorRate({ max: 0.02 }),
      cost: QualityGate.cost({ severity: GateSeverity.WARNING, minSamples: 50, period: Duration.minutes(5) }),
    },
  });
  const caller = new Role(stack, 'Caller', { assumedBy: new ServicePrincipal('ec2.amazonaws.com') });
  agent.grants.submit(caller);
  agent.grants.read(caller);
  agent.grants.cancel(caller);
  agent.grants.feedback(caller);
  const operator = new Role(stack, 'Operator', { assumedBy: new ServicePrincipal('ec2.amazonaws.com') });
  agent.grants.redrive(operator);
  agent.grants.readTranscripts(operator);
  return stack;
}

/** A platform that has its own tables and bucket, its own inbox and its own topic, and users with tokens. */
export function handedInParts(app: App): Stack {
  const stack = new Stack(app, 'HandedIn');
  const payloads = Bucket.fromBucketName(stack, 'Payloads', 'payloads-of-the-platform');
  const store = new AgentStore(stack, 'State', { removalPolicy: RemovalPolicy.DESTROY, payloads });
  const inboxDeadLetters = new Queue(stack, 'EventsDeadLetters', { enforceSSL: true });
  const inbox = new Queue(stack, 'Events', {
    enforceSSL: true,
    visibilityTimeout: Duration.minutes(2),
    deadLetterQueue: { queue: inboxDeadLetters, maxReceiveCount: 5 },
  });
  const topic = new Topic(stack, 'Pager', { enforceSSL: true });
  new AgentService(stack, 'Agent', {
    ...leastProps(stack),
    agentName: 'handed-in',
    store,
    topic,
    intake: {
      inbox,
      auth: IntakeAuth.jwt('https://id.example.com/', ['support']),
      rateLimit: 20,
      burstLimit: 50,
      backpressure: { low: Duration.minutes(1), high: Duration.hours(2) },
    },
    rollout: Rollout.codeDeploy(TrafficShift.canary({ percentage: 5, bakeTime: Duration.minutes(20) }), {
      evidence: Evidence.atLeast(5, { wait: Duration.minutes(10) }),
      preflightTimeout: Duration.minutes(5),
    }),
    gates: {
      latency: QualityGate.latencyIncrease({
        maxIncrease: 0.5,
        minSamples: 5,
        period: Duration.minutes(20),
        evaluationPeriods: 1,
      }),
    },
    taskRetention: Duration.days(7),
    maxAttempts: 8,
    maxInFlightPerUser: 4,
  });
  return stack;
}

/** As little as possible: everybody at once, no gates, no evidence. */
export function minimal(app: App): Stack {
  const stack = new Stack(app, 'Minimal');
  new AgentService(stack, 'Agent', {
    ...leastProps(stack),
    rollout: Rollout.codeDeploy(TrafficShift.allAtOnce(), {
      evidence: Evidence.notRequired('an internal tool with a handful of tasks a week'),
    }),
  });
  return stack;
}

/** An agent in Python, in a VPC and a cluster of the platform's: production, partly on Spot. */
export function fargateInImportedVpc(app: App): Stack {
  const stack = new Stack(app, 'FargateImported', { env: { account: '123456789012', region: 'eu-west-1' } });
  const vpc = Vpc.fromVpcAttributes(stack, 'Vpc', {
    vpcId: 'vpc-12345678',
    availabilityZones: ['eu-west-1a', 'eu-west-1b'],
    privateSubnetIds: ['subnet-11111111', 'subnet-22222222'],
    privateSubnetRouteTableIds: ['rtb-1', 'rtb-2'],
  });
  const cluster = Cluster.fromClusterAttributes(stack, 'Cluster', { clusterName: 'platform', vpc });
  const repository = Repository.fromRepositoryName(stack, 'Images', 'agents/researcher');
  const environment = AgentEnvironment.production({ model: testModel() });
  new AgentService(stack, 'Agent', {
    ...leastProps(stack),
    environment,
    behavior: environment.behavior(AGENT_FOLDER),
    agentName: 'researcher',
    worker: WorkerSpec.fargate({
      image: AgentImage.ecr(repository, `sha256:${'0123456789abcdef'.repeat(4)}`),
      port: 8000,
      command: ['python', '-m', 'researcher'],
      cpu: 1024,
      memorySize: Size.gibibytes(4),
      architecture: CpuArchitecture.ARM64,
      concurrency: 4,
      timeout: Duration.hours(3),
      cluster,
      securityGroups: [SecurityGroup.fromSecurityGroupId(stack, 'Group', 'sg-12345678')],
      capacity: FargateCapacity.mix({ onDemandBase: 2, onDemandWeight: 1, spotWeight: 3 }),
      scaling: { min: 3, max: 40, scaleInAfter: Duration.minutes(10) },
      environment: { INDEX: 'papers' },
    }),
    encryptionKey: new Key(stack, 'Key', { enableKeyRotation: true }),
  });
  return stack;
}

/** A module in containers that reach nothing but AWS, and a model there. */
export function fargateIsolated(app: App): Stack {
  const stack = new Stack(app, 'FargateIsolated');
  const model = ModelSpec.bedrock('eu.anthropic.claude-sonnet-4-5-20250929-v1:0', {
    price: { inputPerMillion: 3, outputPerMillion: 15 },
  });
  new AgentService(stack, 'Agent', {
    behavior: Behavior.fromDirectory(AGENT_FOLDER, { model }),
    worker: WorkerSpec.fargate({
      entry: AGENT_ENTRY,
      baseImage: `public.ecr.aws/docker/library/node@sha256:${'0123456789abcdef'.repeat(4)}`,
      network: FargateNetwork.isolated({ endpoints: [InterfaceVpcEndpointAwsService.LAMBDA] }),
    }),
    flags: { terse: CapabilityFlag.boolean() },
  });
  return stack;
}

/** The example on Fargate: a VPC of its own with public subnets. */
export function fargate(app: App): Stack {
  return new FargateAgentStack(app, 'FargateAgent');
}

export function example(app: App): Stack {
  return new SupportStack(app, 'SupportAgent');
}

/** Everything that has a golden template, by the name of its file. */
export const COMPOSITIONS: Readonly<Record<string, (app: App) => Stack>> = {
  example,
  'imported-vpc-and-own-key': importedVpcAndOwnKey,
  'handed-in-parts': handedInParts,
  minimal,
  fargate,
  'fargate-in-imported-vpc': fargateInImportedVpc,
  'fargate-isolated': fargateIsolated,
};
