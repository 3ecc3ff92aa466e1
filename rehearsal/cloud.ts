import { ApiServer } from './api-server';
import { chooseStack, readAssembly } from './assembly';
import { FaultPlan } from './chaos';
import type { RehearsalClock } from './core/clock';
import type { AlarmView, AliasView, LambdaPort, MetricsPort } from './core/ports';
import type { Credentials } from './core/principal';
import { OPERATOR_CREDENTIALS } from './core/principal';
import { seededRandom } from './core/random';
import { ScaledClock } from './core/scaled-clock';
import type { ServiceModule } from './core/service';
import { createApiGateway } from './services/apigateway';
import { type ConfigurationDeploymentView, createAppConfig } from './services/appconfig';
import { createApplicationAutoScaling, type ScalingActivity } from './services/applicationautoscaling';
import {
  type CloudFormation,
  createCloudFormation,
  type DeployResult,
  type DestroyResult,
  type ProgressEvent,
  type StackEvent,
  type StackResourceView,
} from './services/cloudformation';
import { type CloudWatch, createCloudWatch } from './services/cloudwatch';
import { type CodeDeploy, createCodeDeploy, type DeploymentEvent, type DeploymentView } from './services/codedeploy';
import { createDynamoDb, type ObservedWrite } from './services/dynamodb';
import { createEc2 } from './services/ec2';
import { createEcr } from './services/ecr';
import { createEcs, type EcsEvent, type ImageCommand, type ServiceView, type TaskView } from './services/ecs';
import { createEvents } from './services/events';
import { createIam } from './services/iam';
import { createKms } from './services/kms';
import { createLambda } from './services/lambda';
import { createLogs } from './services/logs';
import { createS3 } from './services/s3';
import { createSecretsManager } from './services/secretsmanager';
import { createSns } from './services/sns';
import { createSqs } from './services/sqs';
import { createSsm } from './services/ssm';
import { createSts } from './services/sts';
import { createXRay, type TraceView, type XRay } from './services/xray';

export type { ConfigurationDeploymentView } from './services/appconfig';
export type { ScalingActivity } from './services/applicationautoscaling';
export type { DeployResult, DestroyResult, StackResourceView } from './services/cloudformation';
export { NotRehearsable } from './services/cloudformation/model';
export type { DeploymentView } from './services/codedeploy';
export type { ObservedWrite } from './services/dynamodb';
export type { ImageCommand, ServiceView, TaskView } from './services/ecs';

export interface RehearsalCloudOptions {
  /** Cloud seconds per real second. */
  readonly speed: number;
  /** Seed of the random draws: which version a weighted alias picks, and which faults are injected. */
  readonly seed: number;
  /** Environment variables that every function and container gets in addition to the template's. @default - none */
  readonly extraEnvironment?: Readonly<Record<string, string>>;
  readonly onEvent?: (event: CloudEvent) => void;
  /** What to run for container images; an image asset whose Dockerfile says it in exec form needs none. @default none */
  readonly containers?: readonly ImageCommand[];
  /** Folder of the app: there commands of `containers` run whose image is no asset. @default that of this process */
  readonly appDirectory?: string;
  /** Cloud time at the start, milliseconds since 1970. @default the real time */
  readonly startAt?: number;
  /** Order in which a failed update is rolled back: AWS documents none. @default 'reverse' */
  readonly rollbackOrder?: 'reverse' | 'forward';
  /** Folder that gets a file per log group. @default lines are kept in memory only */
  readonly logDirectory?: string;
}

/** Events of the cloud. Times are cloud milliseconds since 1970. */
export type CloudEvent =
  | ({ readonly kind: 'stack' } & StackEvent)
  | ({ readonly kind: 'progress' } & ProgressEvent)
  | ({ readonly kind: 'codedeploy' } & DeploymentEvent)
  | ({ readonly kind: 'ecs' } & EcsEvent)
  | ({ readonly kind: 'scaling' } & ScalingActivity)
  | {
      readonly kind: 'alarm';
      readonly at: number;
      readonly name: string;
      readonly from: AlarmView['state'];
      readonly to: AlarmView['state'];
      readonly reason: string;
      readonly value?: number;
    }
  | {
      readonly kind: 'notification';
      readonly at: number;
      readonly topicArn: string;
      readonly subject: string;
      readonly message: string;
      /** Why the topic refused it. */
      readonly failure?: string;
    };

export interface QueueView {
  readonly name: string;
  readonly arn: string;
  readonly url: string;
  readonly visible: number;
  readonly inFlight: number;
  readonly delayed: number;
  /** Dead-letter queue of messages that were received too often. */
  readonly deadLetterArn: string | undefined;
}

/**
 * The local cloud: every rehearsed service behind one endpoint on 127.0.0.1, with one clock, and CloudFormation to deploy
 * templates in it. Nothing outlives {@link stop}.
 */
export class RehearsalCloud {
  static async start(options: RehearsalCloudOptions): Promise<RehearsalCloud> {
    const clock = new ScaledClock({ speed: options.speed, startAt: options.startAt });
    const iam = createIam();
    const faults = new FaultPlan(clock, options.seed);
    const apiServer = await ApiServer.start({ iam: iam.iam, faults });
    const xray = createXRay();
    return new RehearsalCloud(options, clock, faults, apiServer, xray, await xray.startDaemon(), iam);
  }

  /** Base URL of the API server, for `AWS_ENDPOINT_URL`. */
  readonly endpointUrl: string;
  /** A caller with these is allowed everything. */
  readonly operatorCredentials: Credentials = OPERATOR_CREDENTIALS;
  readonly iam: ReturnType<typeof createIam>['iam'];
  readonly lambda: LambdaPort;
  readonly metrics: MetricsPort;
  readonly tables: {
    names(): readonly string[];
    /** Items as plain values. */
    scan(tableName: string): Promise<readonly Record<string, unknown>[]>;
    /** Reports every write of a single item, in the order of the writes. @returns stops it */
    observe(tableName: string, observer: (write: ObservedWrite) => void): () => void;
  };
  readonly buckets: {
    names(): readonly string[];
    /** Keys of the objects in a bucket. */
    keys(bucket: string): readonly string[];
    /** Deletes every object in the buckets that are deleted with the stack. */
    empty(stackName?: string): void;
  };
  readonly #apiServer: ApiServer;
  readonly #xray: XRay;
  readonly #cloudWatch: CloudWatch;
  readonly #appConfig: ReturnType<typeof createAppConfig>;
  readonly #codeDeploy: CodeDeploy;
  readonly #cloudFormation: CloudFormation;
  readonly #sqs: ReturnType<typeof createSqs>;
  readonly #s3: ReturnType<typeof createS3>;
  readonly #logs: ReturnType<typeof createLogs>;
  readonly #lambdaService: ReturnType<typeof createLambda>;
  readonly #ecs: ReturnType<typeof createEcs>;
  readonly #scaling: ReturnType<typeof createApplicationAutoScaling>;
  /** In the order in which they stop. */
  readonly #stoppables: readonly Pick<ServiceModule, 'stop'>[];
  #stopped: Promise<void> | undefined;

  private constructor(
    options: RehearsalCloudOptions,
    readonly clock: RehearsalClock,
    /** Injected faults: none before {@link FaultPlan.begin}. */
    readonly faults: FaultPlan,
    apiServer: ApiServer,
    xray: XRay,
    xrayAddress: string,
    iamModule: ReturnType<typeof createIam>,
  ) {
    const { iam } = iamModule;
    this.#apiServer = apiServer;
    this.#xray = xray;
    this.iam = iam;
    this.endpointUrl = apiServer.url;
    const endpointUrl = () => apiServer.url;
    const mount = apiServer.mount.bind(apiServer);
    const emit = options.onEvent ?? (() => undefined);
    const sns = createSns({ clock, iam });
    this.#cloudWatch = createCloudWatch({
      clock,
      sns,
      scaling: {
        owns: (actionArn) => this.#scaling.port.owns(actionArn),
        invoke: (policyArn, value) => this.#scaling.port.invoke(policyArn, value),
      },
      onAlarm: ({ at, name, from, to, reason, value }) => emit({ kind: 'alarm', at, name, from, to, reason, value }),
      onAction: ({ topicArn, subject, message, failure }) =>
        emit({ kind: 'notification', at: clock.now(), topicArn, subject, message, failure }),
    });
    const { metrics } = this.#cloudWatch;
    this.metrics = metrics;
    this.#logs = createLogs({ clock, directory: options.logDirectory });
    const dynamoDb = createDynamoDb({ clock });
    this.#s3 = createS3({ clock, iam });
    const ssm = createSsm();
    this.#sqs = createSqs({ clock, metrics, iam, endpointUrl });
    this.#lambdaService = createLambda({
      clock,
      iam,
      logs: this.#logs,
      metrics,
      sqs: this.#sqs.port,
      endpointUrl,
      xrayAddress,
      assetPath: (bucket, key) => this.#s3.fileOf(bucket, key),
      extraEnvironment: () => options.extraEnvironment ?? {},
      random: seededRandom(`alias ${options.seed}`),
      faults,
    });
    const lambda = this.#lambdaService.port;
    this.lambda = lambda;
    const ec2 = createEc2({ iam });
    this.#ecs = createEcs({
      clock,
      iam,
      logs: this.#logs,
      metrics,
      endpointUrl,
      mount,
      commands: options.containers ?? [],
      appDirectory: options.appDirectory,
      extraEnvironment: () => options.extraEnvironment ?? {},
      zoneOf: (subnet) => ec2.zoneOf(subnet),
      unreachable: (place, service) => ec2.unreachable(place, service),
      faults,
      onEvent: (event) => emit({ kind: 'ecs', ...event }),
    });
    this.#scaling = createApplicationAutoScaling({
      clock,
      services: this.#ecs.scalable,
      onActivity: (activity) => emit({ kind: 'scaling', ...activity }),
    });
    const secretsManager = createSecretsManager({ clock, iam, lambda });
    const events = createEvents({ clock, lambda });
    const apiGateway = createApiGateway({ clock, iam, logs: this.#logs, metrics, lambda, endpointUrl, mount });
    this.#codeDeploy = createCodeDeploy({
      clock,
      lambda,
      metrics,
      iam,
      onEvent: (event) => emit({ kind: 'codedeploy', ...event }),
    });
    this.#appConfig = createAppConfig({ clock, metrics, iam, random: seededRandom(`appconfig ${options.seed}`) });
    apiServer.addReachabilityCheck((principal, service) => this.#ecs.unreachable(principal, service));
    apiServer.observe((service, call, output) => this.#ecs.observe(service, call, output));
    const modules: readonly ServiceModule[] = [
      iamModule,
      xray,
      sns,
      this.#cloudWatch,
      this.#logs,
      dynamoDb,
      this.#s3,
      ssm,
      createSts(),
      createKms(),
      this.#sqs,
      this.#lambdaService,
      ec2,
      createEcr({ iam }),
      this.#ecs,
      this.#scaling,
      secretsManager,
      events,
      apiGateway,
      this.#codeDeploy,
      this.#appConfig,
    ];
    apiServer.add(...modules.flatMap(({ service }) => service ?? []));
    this.#cloudFormation = createCloudFormation({
      clock,
      lambda,
      endpointUrl,
      mount,
      ssmParameter: (name) => ssm.parameter(name),
      onEvent: (event) => emit({ kind: 'stack', ...event }),
      onProgress: (event) => emit({ kind: 'progress', ...event }),
      rollbackOrder: options.rollbackOrder,
      handlers: modules.flatMap(({ handlers }) => handlers ?? []),
    });
    this.tables = {
      names: () => this.#physicalIds('AWS::DynamoDB::Table', 'AWS::DynamoDB::GlobalTable'),
      scan: (tableName) => dynamoDb.scan(tableName),
      observe: (tableName, observer) => dynamoDb.observe(tableName, observer),
    };
    this.buckets = {
      names: () => this.#s3.bucketNames(),
      keys: (bucket) => this.#s3.keys(bucket),
      empty: (stackName) => {
        for (const { type, physicalId, kept } of this.resources(stackName)) {
          if (type === 'AWS::S3::Bucket' && !kept) {
            this.#s3.empty(physicalId);
          }
        }
      },
    };
    this.#stoppables = [
      events,
      this.#codeDeploy,
      this.#appConfig,
      this.#cloudWatch,
      apiGateway,
      this.#ecs,
      this.#lambdaService,
      this.#sqs,
      dynamoDb,
      secretsManager,
      xray,
      apiServer,
    ];
  }

  /**
   * Creates or updates the stack of a cloud assembly.
   *
   * @param stackName needed only when the assembly holds several stacks
   * @throws NotRehearsable before anything changes; AssemblyError for an assembly that cannot be read
   */
  async deploy(assemblyDirectory: string, stackName?: string): Promise<DeployResult> {
    const stack = chooseStack(readAssembly(assemblyDirectory), stackName);
    for (const asset of stack.assets) {
      for (const { bucket, key } of asset.destinations) {
        this.#s3.registerObject(bucket, key, asset.path);
      }
    }
    for (const image of stack.images) {
      this.#ecs.registerImage(image);
    }
    return this.#cloudFormation.deploy({
      stackName: stack.name,
      template: stack.template,
      assemblyDirectory: stack.directory,
      pathOf: stack.pathOf,
    });
  }

  /** Deletes the stack, except for retained resources. */
  destroy(stackName?: string): Promise<DestroyResult> {
    return this.#cloudFormation.destroy(this.#stackName(stackName));
  }

  /** Stops functions, containers, timers and servers. The cloud cannot be used afterwards. */
  stop(): Promise<void> {
    this.#stopped ??= (async () => {
      for (const stoppable of this.#stoppables) {
        await stoppable.stop?.();
      }
    })();
    return this.#stopped;
  }

  stackOutputs(stackName?: string): Readonly<Record<string, string>> {
    return this.#cloudFormation.outputs(this.#stackName(stackName));
  }

  /** Empty when there is no such stack. */
  resources(stackName?: string): readonly StackResourceView[] {
    const names = this.#cloudFormation.stackNames();
    if (stackName === undefined ? names.length === 0 : !names.includes(stackName)) {
      return [];
    }
    return this.#cloudFormation.resources(this.#stackName(stackName));
  }

  /**
   * Physical id by logical id or path of the construct.
   *
   * @throws Error with the existing resources, unless exactly one matches
   */
  physicalId(logicalIdOrPath: string, stackName?: string): string {
    const resources = this.resources(stackName);
    const found = resources.filter(({ logicalId, path }) => logicalId === logicalIdOrPath || path === logicalIdOrPath);
    const [only] = found;
    if (only === undefined || found.length > 1) {
      const paths = resources.map(({ path }) => path).join(', ');
      throw new Error(`${found.length} resources match ${logicalIdOrPath}; existing resources: ${paths || 'none'}`);
    }
    return only.physicalId;
  }

  /**
   * Injects a failure: the next matching resource operation that is not part of a rollback fails with the reason, once.
   *
   * @param pattern logical id or path; `*` matches any text
   * @returns cancels the failure
   */
  failResource(pattern: string, reason: string, when: 'create' | 'update'): () => void {
    return this.#cloudFormation.failResource(pattern, reason, when);
  }

  queues(): readonly QueueView[] {
    return this.#sqs.queues().map(({ notVisible, ...queue }) => ({ ...queue, inFlight: notVisible }));
  }

  /** Bodies of all messages in a queue, visible or not. */
  messagesIn(queueName: string): readonly string[] {
    return this.#sqs.bodies(queueName);
  }

  alarms(): readonly AlarmView[] {
    return this.metrics.alarms();
  }

  alias(functionName: string, alias: string): AliasView | undefined {
    return this.lambda.getAlias(functionName, alias);
  }

  /** Oldest first. */
  deployments(): readonly DeploymentView[] {
    return this.#codeDeploy.deployments();
  }

  /** Deployments of configurations in AppConfig, oldest first. */
  configurationDeployments(): readonly ConfigurationDeploymentView[] {
    return this.#appConfig.deployments();
  }

  /** Log lines that look like the embedded metric format and are not valid. */
  malformedMetricLines(): { readonly count: number; readonly examples: readonly string[] } {
    return this.#cloudWatch.malformedLines();
  }

  /** Number of API calls so far by `service.Operation`, successful or not. */
  calls(): Readonly<Record<string, number>> {
    return this.#apiServer.counts();
  }

  /** Segment documents that functions and containers sent, by trace, oldest first. */
  traces(): readonly TraceView[] {
    return this.#xray.traces();
  }

  /** Number of calls to unknown services and operations, by name. */
  refusedCalls(): Readonly<Record<string, number>> {
    return this.#apiServer.refusals();
  }

  logGroups(): readonly string[] {
    return this.#logs.groups();
  }

  /** The newest lines of a group, oldest first. */
  logLines(logGroup: string): ReturnType<ReturnType<typeof createLogs>['lines']> {
    return this.#logs.lines(logGroup);
  }

  /** Execution environments of functions that are alive. */
  environments(): ReturnType<ReturnType<typeof createLambda>['environments']> {
    return this.#lambdaService.environments();
  }

  /** Ends an execution environment as a crash would. False if there is none with this id. */
  killEnvironment(id: string): boolean {
    return this.#lambdaService.kill(id);
  }

  /** Services of ECS. */
  services(): readonly ServiceView[] {
    return this.#ecs.services();
  }

  /** Tasks of the services, those of deleted ones first; in the order of their creation, the newest stopped ones among them. */
  serviceTasks(): readonly TaskView[] {
    return this.#ecs.tasks();
  }

  /** Changes of the desired counts of services by their scaling, oldest first. */
  scalingActivities(): readonly ScalingActivity[] {
    return this.#scaling.activities();
  }

  /** Ends every process of a task at once, as in a crash. False if no such task is running. */
  killTask(id: string): boolean {
    return this.#ecs.kill(id);
  }

  /** Stops a task as StopTask does: SIGTERM, then SIGKILL when its stop timeouts are over. False if no such task is running. */
  stopTask(id: string): boolean {
    return this.#ecs.stopTask(id);
  }

  /** Interrupts a Spot task: SIGTERM, and SIGKILL after at most two minutes. False unless it is a Spot task. */
  reclaimTask(id: string): boolean {
    return this.#ecs.reclaim(id);
  }

  /** Suspends a task's containers for `realMs` real milliseconds. False if no such task is running. */
  freezeTask(id: string, realMs: number): boolean {
    return this.#ecs.freeze(id, realMs);
  }

  #physicalIds(...types: readonly string[]): readonly string[] {
    return this.#cloudFormation
      .stackNames()
      .flatMap((name) => this.#cloudFormation.resources(name))
      .filter(({ type }) => types.includes(type))
      .map(({ physicalId }) => physicalId);
  }

  #stackName(given: string | undefined): string {
    const names = this.#cloudFormation.stackNames();
    const [only] = names;
    if (given !== undefined) {
      return given;
    }
    if (only === undefined || names.length > 1) {
      throw new Error(`name the stack; existing stacks: ${names.join(', ') || 'none'}`);
    }
    return only;
  }
}
