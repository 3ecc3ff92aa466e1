import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type App, Aws, Duration, Lazy, Size, Stack, Tags } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { type IVpc, Port, SecurityGroup, Vpc } from 'aws-cdk-lib/aws-ec2';
import { Repository } from 'aws-cdk-lib/aws-ecr';
import { Architecture, Code, Runtime } from 'aws-cdk-lib/aws-lambda';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { type ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { Env, sha256 } from '../../../lib/contract';
import type { ILaneQueues } from '../../../lib/lanes';
import { type Behavior, Release } from '../../../lib/release';
import { AgentStore } from '../../../lib/state';
import {
  type AgentWorker,
  LambdaWorker,
  type LambdaWorkerOptions,
  Transcripts,
  type WorkerContext,
  WorkerSpec,
} from '../../../lib/worker';
import { workerCore } from '../../../lib/worker/worker-core';
import { agentFolder, codeFolder, SMALL_AGENT, testBehavior, writeFiles } from '../../support/agent-folder';
import { testApp, testStack } from '../../support/stack';

let entry: string;
beforeAll(() => {
  entry = join(codeFolder(), 'agent.ts');
});

interface Built {
  readonly stack: Stack;
  readonly release: Release;
  readonly worker: AgentWorker;
  readonly store: AgentStore;
}

interface Options {
  readonly stack?: Stack;
  readonly behavior?: Behavior;
  readonly secrets?: (stack: Stack) => { [name: string]: ISecret };
  readonly context?: Partial<WorkerContext>;
}

/** The CDK's own classes do not fit its interfaces under exactOptionalPropertyTypes. */
function secretNamed(name: string): (stack: Stack) => { [name: string]: ISecret } {
  return (stack) => ({ [name]: new Secret(stack, 'Key') });
}

function network(stack: Stack): IVpc {
  return new Vpc(stack, 'Vpc', { natGateways: 1 });
}

/** A worker as an agent service builds it. */
function build(props: LambdaWorkerOptions = { entry }, options: Options = {}): Built {
  const stack = options.stack ?? testStack();
  const kind = WorkerSpec.lambda(props);
  const release = new Release(stack, 'Release', {
    behavior: options.behavior ?? testBehavior(),
    worker: kind._describe(stack, options.behavior ?? testBehavior()),
  });
  const store = new AgentStore(stack, 'Store');
  const secrets = options.secrets?.(stack) ?? secretNamed('anthropic')(stack);
  const worker = kind._bind(stack, 'Worker', {
    agentName: 'support',
    release,
    store,
    secrets,
    ...options.context,
  });
  return { stack, release, worker, store };
}

function lane(stack: Stack, laneName: string, visibilityTimeout: Duration, maxReceiveCount = 20): ILaneQueues {
  const queue = (name: string) => new Queue(stack, `${laneName}${name}`, { visibilityTimeout });
  return {
    laneName,
    maxReceiveCount,
    high: queue('High'),
    normal: queue('Normal'),
    low: queue('Low'),
    deadLetterQueue: queue('DeadLetters'),
  };
}

/** JSON with references, as the template has it: logical ids instead of the values. */
function parsed(value: { readonly 'Fn::Join': [string, unknown[]] }): unknown {
  const [, parts] = value['Fn::Join'];
  return JSON.parse(
    parts.map((part) => (typeof part === 'string' ? part : String(Object.values(part as object)[0]))).join(''),
  );
}

/** Environment of the one function. */
function environmentOf(stack: Stack): Record<string, never> {
  const { Properties } = single(Template.fromStack(stack), 'AWS::Lambda::Function') as {
    Properties?: { Environment?: { Variables?: Record<string, never> } };
  };
  return Properties?.Environment?.Variables ?? {};
}

/** Logical id without its digest. */
const short = (id: string) => id.slice(0, -8);

function single(template: Template, type: string): { readonly id: string; readonly [key: string]: unknown } {
  const found = Object.entries(template.findResources(type));
  const [id, resource] = found[0] ?? ['', {}];
  expect(found.map(([name]) => name)).toEqual([id]);
  return { id, ...resource };
}

describe('WorkerSpec.lambda: function', () => {
  test('has the contract environment, traces, and keeps its log for a month', () => {
    const { stack, release } = build();
    const template = Template.fromStack(stack);
    template.hasResourceProperties('AWS::Lambda::Function', {
      Runtime: 'nodejs24.x',
      Architectures: ['x86_64'],
      Handler: 'index.handler',
      MemorySize: 1024,
      Timeout: 300,
      TracingConfig: { Mode: 'Active' },
      LoggingConfig: { LogGroup: Match.anyValue() },
      Environment: {
        Variables: {
          [Env.AGENT]: 'support',
          [Env.RELEASE]: release.releaseId,
          [Env.TASKS_TABLE]: { Ref: Match.stringLikeRegexp('^StoreTasks') },
          [Env.SESSIONS_TABLE]: { Ref: Match.stringLikeRegexp('^StoreSessions') },
          [Env.BEHAVIOR_BUCKET]: Match.anyValue(),
          [Env.BEHAVIOR_KEY]: release.behaviorKey,
          [Env.SECRETS]: { 'Fn::Join': ['', ['{"anthropic":"', { Ref: Match.stringLikeRegexp('^Key') }, '"}']] },
          [Env.TASK_RETENTION_DAYS]: '30',
          [Env.CONTROL_TABLE]: { Ref: Match.stringLikeRegexp('^StoreControl') },
          [Env.PAYLOAD_BUCKET]: { Ref: Match.stringLikeRegexp('^StorePayloads') },
          [Env.TRANSCRIPTS]: 'off',
          [Env.MAX_ATTEMPTS]: '5',
          [Env.MAX_RECEIVES]: '20',
          [Env.MAX_IN_FLIGHT_PER_USER]: Match.absent(),
          [Env.WEBHOOK_QUEUE]: Match.absent(),
          [Env.WORKER_TIMEOUT_SECONDS]: '300',
        },
      },
    });
    template.hasResourceProperties('AWS::Lambda::Function', { ReservedConcurrentExecutions: Match.absent() });
    template.hasResource('AWS::Logs::LogGroup', { DeletionPolicy: 'Delete', Properties: { RetentionInDays: 30 } });
  });

  test('takes what it is told', () => {
    const { stack, worker } = build(
      {
        entry,
        memorySize: Size.gibibytes(2),
        timeout: Duration.minutes(15),
        architecture: Architecture.ARM_64,
        runtime: Runtime.NODEJS_22_X,
        logRetention: RetentionDays.ONE_YEAR,
        environment: { TEAM: 'support' },
      },
      { context: { taskRetention: Duration.days(7) } },
    );
    const template = Template.fromStack(stack);
    template.hasResourceProperties('AWS::Lambda::Function', {
      Runtime: 'nodejs22.x',
      Architectures: ['arm64'],
      MemorySize: 2048,
      Timeout: 900,
      Environment: { Variables: Match.objectLike({ TEAM: 'support', [Env.TASK_RETENTION_DAYS]: '7' }) },
    });
    template.hasResourceProperties('AWS::Logs::LogGroup', { RetentionInDays: 365 });
    expect(worker.visibilityTimeout.toSeconds()).toBe(960);
  });

  test('runs the bundle that the release names', () => {
    const { stack, release } = build();
    const assembly = (stack.node.root as App).synth();
    const { files } = JSON.parse(readFileSync(join(assembly.directory, 'Test.assets.json'), 'utf8')) as {
      files: Record<string, { source: { path: string; packaging: string } }>;
    };
    const code = Object.values(files).find(({ source }) => source.packaging === 'zip');
    const folder = join(assembly.directory, code?.source.path ?? '');
    expect(sha256(readFileSync(join(folder, 'agent.js')))).toBe(release.componentDigests.code);
    const { files: library, digest } = workerCore('lambda', release.models);
    expect(release.componentDigests.library).toBe(digest);
    expect(readdirSync(folder).sort()).toEqual(['agent.js', ...library.keys()].sort());
    for (const [name, content] of library) {
      expect(readFileSync(join(folder, name)).equals(content)).toBe(true);
    }
  });

  test('may do what it needs and nothing more', () => {
    const { stack, worker } = build();
    worker.attachLane(lane(stack, 'stable', worker.visibilityTimeout));
    const template = Template.fromStack(stack);
    const role = single(template, 'AWS::IAM::Role');
    expect(role.Properties).not.toHaveProperty('ManagedPolicyArns');
    const policy = single(template, 'AWS::IAM::Policy') as {
      Properties?: { PolicyDocument?: { Statement?: object[] } };
    };
    const granted = (policy.Properties?.PolicyDocument?.Statement ?? []).flatMap((statement) => {
      const { Action, Resource } = statement as { Action: string | string[]; Resource: unknown };
      return [Action].flat().map((action) => `${action}${Resource === '*' ? ' on *' : ''}`);
    });
    expect([...new Set(granted)].sort()).toEqual([
      'dynamodb:GetItem',
      'dynamodb:PutItem',
      'dynamodb:Query',
      'dynamodb:UpdateItem',
      'logs:CreateLogStream',
      'logs:PutLogEvents',
      's3:GetObject',
      's3:ListBucket',
      's3:PutObject',
      'secretsmanager:DescribeSecret',
      'secretsmanager:GetSecretValue',
      'sqs:ChangeMessageVisibility',
      'sqs:DeleteMessage',
      'sqs:GetQueueAttributes',
      'sqs:GetQueueUrl',
      'sqs:ReceiveMessage',
      'sqs:SendMessage',
      'xray:PutTelemetryRecords on *',
      'xray:PutTraceSegments on *',
    ]);
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

describe('WorkerSpec.lambda: code that was bundled elsewhere', () => {
  const handed = (content: string) => Code.fromAsset(agentFolder({ 'main.js': content }));

  test('is known by its content', () => {
    const idOf = (content: string) => build({ code: handed(content), handler: 'main.handler' }).release;
    const one = idOf('exports.handler = 1;');
    expect(idOf('exports.handler = 1;').releaseId).toBe(one.releaseId);
    expect(idOf('exports.handler = 2;').componentDigests.code).not.toBe(one.componentDigests.code);
  });

  test('is the code of the function', () => {
    const { stack } = build({ code: handed('exports.handler = 1;'), handler: 'main.handler' });
    Template.fromStack(stack).hasResourceProperties('AWS::Lambda::Function', {
      Handler: 'main.handler',
      Code: { S3Key: Match.stringLikeRegexp('^[0-9a-f]{64}\\.zip$') },
    });
  });

  test('refuses inline code, objects in S3 and images, which do not say what they hold', () => {
    expect(() => build({ code: Code.fromInline('exports.handler = 1;') })).toThrow(
      /MissingCodeDigest: code of the worker must be an asset .*got InlineCode/,
    );
    const stack = testStack();
    const bucket = Bucket.fromBucketName(stack, 'Bucket', 'code');
    expect(() => build({ code: Code.fromBucket(bucket, `${'a'.repeat(64)}.zip`) }, { stack })).toThrow(
      /MissingCodeDigest: code of the worker must be an asset .*got S3Code/,
    );
    const repository = Repository.fromRepositoryName(stack, 'Images', 'agents');
    const image = Code.fromEcrImage(repository, { tagOrDigest: 'latest' });
    expect(() => build({ code: image }, { stack: testStack() })).toThrow(
      /MissingCodeDigest: code of the worker must be an asset .*got EcrImageCode/,
    );
  });
});

describe('WorkerSpec.lambda: release', () => {
  const idOf = (props: Partial<LambdaWorkerOptions>, options: Options = {}) =>
    build({ entry, ...props }, options).release;

  test.each<[string, () => Partial<LambdaWorkerOptions>]>([
    ['memory', () => ({ memorySize: Size.mebibytes(512) })],
    ['timeout', () => ({ timeout: Duration.minutes(6) })],
    ['architecture', () => ({ architecture: Architecture.ARM_64 })],
    ['runtime', () => ({ runtime: Runtime.NODEJS_22_X })],
    ['an environment value', () => ({ environment: { TEAM: 'a' } })],
  ])('changes with %s', (_, make) => {
    const [before, after] = [idOf({}), idOf(make())];
    expect(after.componentDigests.worker).not.toBe(before.componentDigests.worker);
    expect(after.componentDigests.code).toBe(before.componentDigests.code);
  });

  test('does not change with what concerns no single task', () => {
    const other = idOf({
      maxConcurrency: 7,
      priorityShares: { high: 0.2, normal: 0.2, low: 0.6 },
      logRetention: RetentionDays.ONE_DAY,
    });
    expect(other.releaseId).toBe(idOf({}).releaseId);
  });

  test('knows a value that is decided at deployment by its name', () => {
    const stack = testStack();
    const one = idOf({ environment: { BUCKET: new Bucket(stack, 'One').bucketName } }, { stack });
    const other = testStack();
    const two = idOf({ environment: { BUCKET: new Bucket(other, 'Two').bucketName } }, { stack: other });
    expect(two.releaseId).toBe(one.releaseId);
    expect(idOf({ environment: { STORE: Aws.REGION } }).releaseId).not.toBe(one.releaseId);
    expect(idOf({ environment: { BUCKET: '' } }).releaseId).not.toBe(one.releaseId);
  });
});

describe('WorkerSpec.lambda: published version', () => {
  const versionOf = (stack: Stack) => single(Template.fromStack(stack), 'AWS::Lambda::Version');

  test('outlives its successors, but not the roll back of the update that made it', () => {
    expect(versionOf(build().stack)).toMatchObject({
      DeletionPolicy: 'RetainExceptOnCreate',
      UpdateReplacePolicy: 'Retain',
    });
  });

  test('keeps its logical id: synthesized again, with a tag, with an unrelated construct, from another folder', () => {
    const plain = versionOf(build().stack).id;
    expect(versionOf(build().stack).id).toBe(plain);

    const tagged = testStack();
    Tags.of(tagged).add('team', 'support');
    expect(versionOf(build({ entry }, { stack: tagged }).stack).id).toBe(plain);

    const neighbor = testStack();
    new Queue(neighbor, 'Unrelated');
    expect(versionOf(build({ entry }, { stack: neighbor }).stack).id).toBe(plain);

    expect(versionOf(build({ entry: join(codeFolder(), 'agent.ts') }).stack).id).toBe(plain);

    const granted = build();
    new Bucket(granted.stack, 'Data').grantRead(granted.worker);
    expect(versionOf(granted.stack).id).toBe(plain);
  });

  test('gets another one with each release', () => {
    const plain = versionOf(build().stack).id;
    const prompt = testBehavior({ ...SMALL_AGENT, 'prompts/style.txt': 'Be curt.\n' });
    expect(versionOf(build({ entry }, { behavior: prompt }).stack).id).not.toBe(plain);
    expect(versionOf(build({ entry, memorySize: Size.mebibytes(512) }).stack).id).not.toBe(plain);
    const folder = codeFolder();
    writeFiles(folder, { 'shout.ts': 'export const shout = (text: string) => text;\n' });
    expect(versionOf(build({ entry: join(folder, 'agent.ts') }).stack).id).not.toBe(plain);
  });

  test('is what the worker says it is', () => {
    const { stack, worker } = build();
    expect(stack.resolve(worker.version)).toEqual({ 'Fn::GetAtt': [versionOf(stack).id, 'Version'] });
  });
});

describe('WorkerSpec.lambda: lanes', () => {
  test('gives each lane an alias, and each of its queues a mapping with partial batch responses', () => {
    const { stack, worker } = build({ entry, maxConcurrency: 20 });
    worker.attachLane(lane(stack, 'stable', worker.visibilityTimeout));
    worker.attachLane(lane(stack, 'candidate', worker.visibilityTimeout));
    const template = Template.fromStack(stack);
    const aliases = template.findResources('AWS::Lambda::Alias');
    expect(Object.values(aliases).map(({ Properties }) => Properties.Name)).toEqual(['stable', 'candidate']);
    template.allResourcesProperties('AWS::Lambda::Alias', {
      FunctionVersion: stack.resolve(worker.version),
    });
    for (const [alias, { Properties }] of Object.entries(aliases)) {
      const mappings = Object.values(template.findResources('AWS::Lambda::EventSourceMapping')).filter((mapping) =>
        JSON.stringify(mapping.Properties.FunctionName).includes(alias),
      );
      expect(mappings.map((mapping) => mapping.Properties.EventSourceArn['Fn::GetAtt'][0].slice(0, -8))).toEqual(
        ['High', 'Normal', 'Low'].map((name) => `${Properties.Name}${name}`),
      );
      for (const mapping of mappings) {
        expect(mapping.Properties).toMatchObject({
          BatchSize: 1,
          FunctionResponseTypes: ['ReportBatchItemFailures'],
        });
      }
      expect(mappings.map((mapping) => mapping.Properties.ScalingConfig.MaximumConcurrency)).toEqual([10, 7, 3]);
    }
  });

  test('returns what an order can be given to', () => {
    const { stack, worker } = build();
    const gate = new Queue(stack, 'Gate');
    const after = new Queue(stack, 'After');
    const { carrier, consumers } = worker.attachLane(lane(stack, 'candidate', worker.visibilityTimeout));
    carrier.node.addDependency(gate);
    after.node.addDependency(...consumers);
    const template = Template.fromStack(stack);
    template.hasResource('AWS::Lambda::Alias', { DependsOn: [stack.getLogicalId(gate.node.defaultChild as never)] });
    template.hasResource('AWS::SQS::Queue', {
      DependsOn: Object.keys(template.findResources('AWS::Lambda::EventSourceMapping')).sort(),
    });
  });

  test('starts a mapping only when the worker may read the queue', () => {
    const { stack, worker } = build();
    worker.attachLane(lane(stack, 'stable', worker.visibilityTimeout));
    const template = Template.fromStack(stack);
    const policy = single(template, 'AWS::IAM::Policy').id;
    expect(single(template, 'AWS::Lambda::Function').DependsOn).toContain(policy);
  });

  test('hides a message for as long as the worker may run, and a minute', () => {
    expect(build({ entry, timeout: Duration.minutes(10) }).worker.visibilityTimeout.toSeconds()).toBe(660);
  });

  test('tells the worker where to send what it requeues or moves to a dead-letter queue, and allows it', () => {
    const { stack, worker } = build();
    for (const name of ['stable', 'candidate']) {
      worker.attachLane(lane(stack, name, worker.visibilityTimeout));
    }
    const environment = environmentOf(stack);
    const shortened = (value: unknown) => JSON.parse(JSON.stringify(value).replaceAll(/[0-9A-F]{8}"/g, '"'));
    expect(shortened(parsed(environment[Env.QUEUES] as never))).toEqual({
      stable: { high: 'stableHigh', normal: 'stableNormal', low: 'stableLow' },
      candidate: { high: 'candidateHigh', normal: 'candidateNormal', low: 'candidateLow' },
    });
    expect(shortened(parsed(environment[Env.DEAD_LETTER_QUEUES] as never))).toEqual({
      stable: 'stableDeadLetters',
      candidate: 'candidateDeadLetters',
    });
    const policy = single(Template.fromStack(stack), 'AWS::IAM::Policy') as unknown as {
      Properties: { PolicyDocument: { Statement: { Action: string | string[]; Resource: unknown }[] } };
    };
    const sends = policy.Properties.PolicyDocument.Statement.filter(({ Action }) =>
      [Action].flat().includes('sqs:SendMessage'),
    );
    const queues = sends.flatMap(({ Resource }) => [Resource].flat() as { 'Fn::GetAtt': [string, string] }[]);
    expect(queues.map((queue) => short(queue['Fn::GetAtt'][0])).sort()).toEqual(
      ['stable', 'candidate']
        .flatMap((name) => ['High', 'Normal', 'Low', 'DeadLetters'].map((queue) => `${name}${queue}`))
        .sort(),
    );
  });

  test('refuses a lane twice, one with too few receives, and one with others than its neighbor', () => {
    const { stack, worker } = build({ entry }, { context: { maxAttempts: 6 } });
    expect(() => worker.attachLane(lane(stack, 'short', worker.visibilityTimeout, 20))).toThrow(
      /\[Test\/Worker\] TooFewReceives: maxReceiveCount of lane "short" must be at least 21, .*got 20/,
    );
    const candidate = lane(stack, 'candidate', worker.visibilityTimeout, 21);
    worker.attachLane(candidate);
    expect(() => worker.attachLane(candidate)).toThrow(/DuplicateLane: lane "candidate" is already attached/);
    expect(() => worker.attachLane(lane(stack, 'stable', worker.visibilityTimeout, 22))).toThrow(
      /ConflictingMaxReceiveCount: maxReceiveCount is 22 for lane "stable" and 21 for lane "candidate"/,
    );
    expect(environmentOf(stack)).toMatchObject({ [Env.MAX_ATTEMPTS]: '6', [Env.MAX_RECEIVES]: '21' });
  });

  test.each([0, 2.5, 101, Number.NaN])('refuses %p attempts', (maxAttempts) => {
    expect(() => build({ entry }, { context: { maxAttempts } })).toThrow(
      /InvalidMaxAttempts: maxAttempts must be an integer between 1 and 100, got/,
    );
  });

  test.each([0, 1.5, 1001])('refuses %p running tasks of a user', (maxInFlightPerUser) => {
    expect(() => build({ entry }, { context: { maxInFlightPerUser } })).toThrow(
      /InvalidMaxInFlightPerUser: maxInFlightPerUser must be an integer between 1 and 1000, got/,
    );
  });

  test('is told of the limit per user, of transcripts and of the webhook queue where there are any', () => {
    const stack = testStack();
    const webhookQueue = new Queue(stack, 'Webhooks');
    const transcripts = Transcripts.record({ retention: Duration.days(90) });
    build({ entry }, { stack, context: { maxInFlightPerUser: 3, transcripts, webhookQueue } });
    expect(environmentOf(stack)).toMatchObject({
      [Env.MAX_IN_FLIGHT_PER_USER]: '3',
      [Env.TRANSCRIPTS]: 'on',
      [Env.WEBHOOK_QUEUE]: { Ref: expect.stringMatching(/^Webhooks/) },
    });
    const policy = JSON.stringify(single(Template.fromStack(stack), 'AWS::IAM::Policy'));
    expect(policy).toContain('"/transcripts/*"');
    expect(policy).toContain('"sqs:SendMessage"');
  });

  test('may not write transcripts when there are none', () => {
    expect(JSON.stringify(single(Template.fromStack(build().stack), 'AWS::IAM::Policy'))).not.toContain('transcripts');
  });
});

describe('WorkerSpec.lambda: network and grants', () => {
  test('can be granted to and connected to in a VPC', () => {
    const stack = testStack();
    const vpc = network(stack);
    const { worker } = build({ entry, vpc }, { stack });
    const database = new SecurityGroup(stack, 'Database', { vpc });
    database.connections.allowFrom(worker, Port.tcp(5432));
    new Bucket(stack, 'Data').grantRead(worker);
    const template = Template.fromStack(stack);
    template.hasResourceProperties('AWS::EC2::SecurityGroupIngress', { FromPort: 5432 });
    template.hasResourceProperties('AWS::Lambda::Function', { VpcConfig: { SubnetIds: Match.anyValue() } });
    template.hasResourceProperties('AWS::IAM::Policy', {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({ Action: Match.arrayWith(['ec2:CreateNetworkInterface']), Resource: '*' }),
        ]),
      },
    });
  });

  test('uses the security groups that are handed in', () => {
    const stack = testStack();
    const vpc = network(stack);
    const group = new SecurityGroup(stack, 'Group', { vpc });
    build({ entry, vpc, securityGroups: [group], vpcSubnets: { subnets: vpc.privateSubnets.slice(0, 1) } }, { stack });
    Template.fromStack(stack).hasResourceProperties('AWS::Lambda::Function', {
      VpcConfig: {
        SecurityGroupIds: [stack.resolve(group.securityGroupId)],
        SubnetIds: [stack.resolve(vpc.privateSubnets[0]?.subnetId)],
      },
    });
  });

  test('refuses connections without a VPC', () => {
    expect(() => build().worker.connections).toThrow(
      /\[Test\/Worker\] MissingVpc: .*set vpc in the options of WorkerSpec\.lambda/,
    );
  });

  test('counts crashes of the function, whichever lane', () => {
    const { stack, worker } = build();
    expect(worker).toBeInstanceOf(LambdaWorker);
    const metric = stack.resolve(worker.metricCrashes({ period: Duration.minutes(1) }).toMetricConfig().metricStat);
    expect(metric).toMatchObject({ namespace: 'AWS/Lambda', metricName: 'Errors' });
  });
});

describe('WorkerSpec.lambda: refusals', () => {
  const number = () => Lazy.number({ produce: () => 1 });
  test.each<[string, () => LambdaWorkerOptions, RegExp]>([
    ['neither entry nor code', () => ({}), /MissingCode: the worker has neither entry nor code/],
    ['both', () => ({ entry, code: Code.fromInline('x') }), /ConflictingCode: the worker has both entry and code/],
    [
      'a handler beside entry',
      () => ({ entry, handler: 'x.y' }),
      /ConflictingHandler: handler "x\.y" is set together with entry/,
    ],
    ['an entry that is a token', () => ({ entry: Aws.STACK_NAME }), /UnresolvedWorker: worker entry is a token/],
    [
      'another runtime',
      () => ({ entry, runtime: Runtime.PYTHON_3_13 }),
      /InvalidRuntime: runtime of the worker must be a Node\.js runtime .*got python3\.13/,
    ],
    [
      'too little memory',
      () => ({ entry, memorySize: Size.mebibytes(64) }),
      /InvalidMemory: memorySize of the worker must be between 128 and 10240 MiB, got 64 MiB/,
    ],
    ['too much memory', () => ({ entry, memorySize: Size.gibibytes(11) }), /InvalidMemory/],
    [
      'too long a timeout',
      () => ({ entry, timeout: Duration.minutes(16) }),
      /InvalidTimeout: timeout of the worker must be between 1 and 900 seconds, got 960/,
    ],
    [
      'a timeout that is a token',
      () => ({ entry, timeout: Duration.seconds(number()) }),
      /UnresolvedWorker: memorySize and timeout/,
    ],
    [
      'too little concurrency',
      () => ({ entry, maxConcurrency: 5 }),
      /InvalidMaxConcurrency: maxConcurrency of the worker must be an integer between 6 and 1000, got 5;/,
    ],
    ['too much concurrency', () => ({ entry, maxConcurrency: 1001 }), /InvalidMaxConcurrency/],
    ['broken concurrency', () => ({ entry, maxConcurrency: 12.5 }), /InvalidMaxConcurrency/],
    [
      'concurrency that is a token',
      () => ({ entry, maxConcurrency: number() }),
      /must be an integer between 6 and 1000, got a token/,
    ],
    [
      'a variable of the library',
      () => ({ entry, environment: { AGENT_LANES_RELEASE: 'x' } }),
      /ReservedEnvironmentVariable: environment variable AGENT_LANES_RELEASE is set/,
    ],
    ['a name of one character', () => ({ entry, environment: { A: 'x' } }), /InvalidEnvironmentVariable: .*got "A"/],
    ['a name that Lambda refuses', () => ({ entry, environment: { 'A-B': 'x' } }), /InvalidEnvironmentVariable/],
  ])('refuses %s', (_, make, message) => {
    expect(() => build(make())).toThrow(message);
  });

  test('refuses a model whose secret was not handed in', () => {
    expect(() => build({ entry }, { secrets: secretNamed('openai') })).toThrow(
      /MissingModelSecret: a model of the release reads its API key from the secret "anthropic", and the secrets of the service are openai/,
    );
    expect(() => build({ entry }, { secrets: () => ({}) })).toThrow(
      /MissingModelSecret: .* the service has no secrets/,
    );
  });

  test('refuses a second agent in one store', () => {
    const { stack, release, store } = build();
    const bind = () =>
      WorkerSpec.lambda({ entry })._bind(stack, 'Second', { agentName: 'sales', release, store, secrets: {} });
    expect(bind).toThrow(
      /ConflictingStore: store Test\/Store already belongs to agent "support" and cannot serve "sales"/,
    );
  });

  test('refuses, at synth, an environment of more than 4 KB, whatever code added to it', () => {
    const app = testApp();
    const { worker } = build({ entry, environment: { TEXT: 'x'.repeat(2000) } }, { stack: new Stack(app, 'Test') });
    (worker as LambdaWorker).function.addEnvironment('MORE', 'y'.repeat(2000));
    expect(() => app.synth()).toThrow(
      /environment variables of the worker must have at most 4096 bytes, got at least 4\d{3}/,
    );
  });
});
