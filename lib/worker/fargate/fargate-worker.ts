import { Annotations, ArnFormat, Duration, Lazy, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import {
  GraphWidget,
  type IMetric,
  type IWidget,
  type Metric,
  type MetricOptions,
  Stats,
} from 'aws-cdk-lib/aws-cloudwatch';
import { Connections, InterfaceVpcEndpointAwsService, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { type CfnCluster, Cluster, type ICluster } from 'aws-cdk-lib/aws-ecs';
import { type IPrincipal, type IRole, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { type ILogGroup, LogGroup } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { acknowledgeWildcard, laneError, pascalCase } from '../../common';
import { DEFAULT_WORKER_PORT, digestOf, Env, type Json, LEASE_MS, PRIORITIES } from '../../contract';
import { AgentLane, type ILaneQueues } from '../../lanes';
import { grantReceive } from '../../lanes/lane-grants';
import { TaskMetricSet } from '../../metrics';
import type { Behavior, WorkerDescription } from '../../release';
import { claimStore } from '../../state/agent-store';
import { bundleAgent } from '../agent-bundle';
import { AgentWorker, type LaneAttachment } from '../agent-worker';
import { AttachedLanes } from '../attached-lanes';
import { logRetentionOf, type WorkerContext } from '../worker-context';
import { workerCore } from '../worker-core';
import { workerEnvironment } from '../worker-environment';
import { grantContract, grantRequeue } from '../worker-grants';
import type { AgentImage } from './agent-image';
import {
  checkFargateSettings,
  checkScaling,
  describeFargateSettings,
  describeOperation,
  type FargateSettings,
  type LanePlan,
} from './fargate-settings';
import type { FargateWorkerOptions } from './fargate-worker-options';
import { LaneMetrics } from './lane-metrics';
import { LaneScaling } from './lane-scaling';
import { type AgentContainerSpec, LaneService } from './lane-service';
import { HTTPS, type NetworkConfig, zonesOf } from './network';
import { PROTECTION_ACTIONS, TRACE_ACTIONS } from './perms';
import { programOf, type WorkerImage, workerImage } from './worker-image';

/**
 * How long a message stays hidden from its receipt. The worker claims it in seconds, and from its first heartbeat on sets
 * the visibility itself, to little more than its lease; so this is what passes before another worker gets the message of
 * one that died in between.
 */
const VISIBILITY_MS = LEASE_MS + 30_000;

export interface FargateWorkerProps {
  readonly worker: FargateWorkerOptions;
  readonly context: WorkerContext;
}

/** What of a Fargate worker goes into the release. */
export function describeFargateWorker(
  scope: Construct,
  props: FargateWorkerOptions,
  behavior: Behavior,
): WorkerDescription {
  const settings = checkFargateSettings(scope, props);
  const worker = props.workerImage?._describe(scope, settings.platform);
  // checkFargateSettings has checked that there is either an entry or an image.
  const agent =
    props.entry === undefined
      ? (props.image as AgentImage)._describe(scope, settings.platform)
      : bundleAgent(scope, props.entry);
  return {
    codeDigest: agent.digest,
    libraryDigest: worker === undefined ? workerCore(programOf(props), behavior._chain).digest : undefined,
    settings: {
      ...describeFargateSettings(settings, props),
      ...(worker === undefined ? {} : { workerImage: worker.digest }),
    },
    operation: describeOperation(settings, props),
    timeout: settings.timeout,
    sources: agent.sources,
  };
}

/** What was made for one lane. */
interface LaneParts {
  readonly laneName: string;
  readonly service: LaneService;
  readonly metrics: LaneMetrics;
}

/** A worker in containers: for each lane a task definition, a service and its scaling. */
export class FargateWorker extends AgentWorker {
  readonly cluster: ICluster;
  /** Of the containers of both lanes. */
  readonly taskRole: IRole;
  readonly grantPrincipal: IPrincipal;
  readonly connections: Connections;
  readonly version: string;
  readonly visibilityTimeout = Duration.millis(VISIBILITY_MS);
  readonly startTimeout: Duration;
  private readonly settings: FargateSettings;
  private readonly plan: LanePlan;
  private readonly network: NetworkConfig;
  private readonly image: WorkerImage;
  private readonly agent: AgentContainerSpec | undefined;
  private readonly environment: { readonly [name: string]: string };
  private readonly executionRole: IRole;
  private readonly logGroup: ILogGroup;
  private readonly lanes: AttachedLanes;
  private readonly parts: LaneParts[] = [];

  constructor(
    scope: Construct,
    id: string,
    private readonly props: FargateWorkerProps,
  ) {
    super(scope, id);
    const { worker, context } = props;
    const settings = checkFargateSettings(this, worker);
    this.settings = settings;
    this.plan = checkScaling(this, worker.scaling ?? {}, context.availability, settings.concurrency);
    this.startTimeout = settings.startTimeout;
    this.lanes = new AttachedLanes(this, context.maxAttempts);
    claimStore(context.store, this, context.agentName);

    // Under the same scope as when the release was described: they are the same images.
    this.image = workerImage(scope, worker, settings, context.release.models);
    for (const warning of this.image.warnings) {
      Annotations.of(this).addWarningV2('cdk-agent-lanes:bundle', `worker entry "${worker.entry}": ${warning}`);
    }
    this.agent =
      worker.image === undefined
        ? undefined
        : {
            image: worker.image._bind(scope, settings.platform),
            command: worker.command,
          };

    this.network = settings.network._bind(this, { services: this.services() });
    this.checkReach();
    const securityGroups = worker.securityGroups ?? [
      new SecurityGroup(this, 'SecurityGroup', {
        vpc: this.network.vpc,
        description: `Workers of agent ${context.agentName}: call, and are never called`,
      }),
    ];
    this.connections = new Connections({ securityGroups });
    for (const callee of this.network.callees) {
      callee.connections.allowFrom(this, HTTPS, `Workers of agent ${context.agentName}`);
    }
    this.cluster = worker.cluster ?? this.ownCluster();

    this.logGroup = new LogGroup(this, 'Logs', {
      retention: logRetentionOf(this, 'WorkerSpec.fargate', worker.logRetention, context),
      removalPolicy: context.removalPolicy ?? RemovalPolicy.DESTROY,
    });
    this.executionRole = this.role('ExecutionRole');
    acknowledgeWildcard(
      this.executionRole,
      '*',
      'ECR knows no resource for ecr:GetAuthorizationToken; what may be pulled is named (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html)',
    );
    this.taskRole = this.role('Role');
    this.grantPrincipal = this.taskRole.grantPrincipal;
    grantContract(this, this.taskRole, context);
    this.grantPlatform();

    this.environment = {
      // Fargate sets it as well, but no document promises it.
      AWS_REGION: Stack.of(this).region,
      ...(this.agent === undefined ? settings.environment : {}),
      ...workerEnvironment(this, context, this.lanes, settings.timeout),
      [Env.CONCURRENCY]: String(settings.concurrency),
      [Env.PRIORITY_SHARES]: JSON.stringify(
        Object.fromEntries(PRIORITIES.map((priority) => [priority, settings.priorityShares[priority]])),
      ),
      [Env.STOP_TIMEOUT_SECONDS]: String(settings.stopTimeout.toSeconds()),
      [Env.WORKER_PORT]: String(DEFAULT_WORKER_PORT),
      ...(this.agent === undefined ? {} : { [Env.AGENT_PORT]: String(settings.port) }),
    };
    this.version = Lazy.string({ produce: () => this.digestOfLanes() });
  }

  override attachLane(lane: ILaneQueues): LaneAttachment {
    this.lanes.add(lane);
    const { agentName } = this.props.context;
    const { laneName } = lane;
    const { clusterName } = this.cluster;
    for (const priority of PRIORITIES) {
      grantReceive(lane[priority], this.taskRole);
    }
    grantRequeue(lane, this.taskRole);
    const id = pascalCase(laneName);
    const service = new LaneService(this, id, {
      laneName,
      clusterName,
      settings: this.settings,
      network: this.network,
      securityGroups: this.connections.securityGroups,
      workerImage: this.image.image,
      agent: this.agent,
      environment: { ...this.environment, [Env.LANE]: laneName },
      taskRole: this.taskRole,
      executionRole: this.executionRole,
      logGroup: this.logGroup,
      ready: this.network.ready,
    });
    const serviceName = service.service.attrName;
    const metrics = new LaneMetrics({ agentName, lane, clusterName, serviceName });
    const scaling = new LaneScaling(service, 'Scaling', {
      laneName,
      // The candidate lane is idle outside rollouts.
      plan: laneName === AgentLane.CANDIDATE ? { ...this.plan, min: 0 } : this.plan,
      metrics,
      clusterName,
      serviceName,
    });
    this.parts.push({ laneName, service, metrics });
    return { carrier: service.service, consumers: [...scaling.parts] };
  }

  /** Attempts that nobody ended, found by the next one: their container was killed, or its process died. */
  override metricCrashes(props?: MetricOptions): Metric {
    return TaskMetricSet.ofAgent(this.props.context.agentName).metricAttemptsAbandoned(props);
  }

  override dashboardRows(): IWidget[][] {
    const graph = (title: string, pick: (parts: LaneParts) => IMetric[]): IWidget =>
      new GraphWidget({ title, width: 8, left: this.parts.flatMap(pick) });
    const { backlogPerWorker } = this.plan;
    return [
      [
        graph('Workers running', ({ laneName, metrics }) => [metrics.running(`${laneName} lane`)]),
        graph(`Messages for each worker (scaled to ${backlogPerWorker})`, ({ laneName, metrics }) => [
          metrics.backlogPerWorker(`${laneName} lane`),
        ]),
        graph('Messages waiting or in work', ({ laneName, metrics }) => [
          metrics.load(`${laneName} lane`),
          metrics.arrivals(`${laneName} lane, new in the minute`),
        ]),
      ],
      [
        graph('CPU of the workers, mean (%)', ({ laneName, metrics }) => [
          metrics.service('CPUUtilization', Stats.AVERAGE, `${laneName} lane`),
        ]),
        graph('Memory of the workers, highest (%)', ({ laneName, metrics }) => [
          metrics.service('MemoryUtilization', Stats.MAXIMUM, `${laneName} lane`),
        ]),
      ],
    ];
  }

  /** Services that the worker itself calls, besides S3 and DynamoDB. */
  private services(): InterfaceVpcEndpointAwsService[] {
    const { flags, release, secrets } = this.props.context;
    return [
      InterfaceVpcEndpointAwsService.ECR,
      InterfaceVpcEndpointAwsService.ECR_DOCKER,
      InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
      InterfaceVpcEndpointAwsService.SQS,
      InterfaceVpcEndpointAwsService.XRAY,
      ...(Object.keys(secrets).length === 0 ? [] : [InterfaceVpcEndpointAwsService.SECRETS_MANAGER]),
      ...(flags === undefined ? [] : [InterfaceVpcEndpointAwsService.APPCONFIGDATA]),
      ...(release.models.some(({ _settings }) => _settings.provider === 'bedrock')
        ? [InterfaceVpcEndpointAwsService.BEDROCK_RUNTIME]
        : []),
    ];
  }

  /** @throws LaneError for what the network cannot give */
  private checkReach(): void {
    const { worker, context } = this.props;
    const standby = context.availability?.standby ?? 0;
    const { network, capacity } = this.settings;
    const zones = zonesOf(this.network.subnets);
    if (standby > 1 && zones.length < 2) {
      throw laneError(
        this,
        'TooFewAvailabilityZones',
        `the subnets of the worker are in one zone (${zones.join(', ')}), and the environment keeps ${standby} workers ready: expected subnets in two zones or more, for workers in one zone stop together; add subnets`,
      );
    }
    if (!network.reachesInternet) {
      if (worker.image?.needsInternet === true || worker.workerImage?.needsInternet === true) {
        throw laneError(
          this,
          'UnreachableImage',
          'an image of the worker is in a registry outside AWS, and the network is isolated: expected an image in ECR; use AgentImage.ecr or AgentImage.asset, or another network',
        );
      }
      const outside = context.release.models.find(({ _settings }) => _settings.provider !== 'bedrock');
      if (outside !== undefined) {
        Annotations.of(this).addWarningV2(
          'cdk-agent-lanes:modelOutOfReach',
          `the network of the worker is isolated, and model ${outside._settings.id} is served by ${outside._settings.provider}: unless that is inside the VPC no task reaches it; use a model on Bedrock, or another network`,
        );
      }
    }
    if (standby > 0 && capacity.spotOnly) {
      Annotations.of(this).addWarningV2(
        'cdk-agent-lanes:spotOnly',
        'all workers run on Spot, in an environment that keeps workers ready: while AWS has no spare capacity no task runs; use FargateCapacity.mix',
      );
    }
  }

  private ownCluster(): ICluster {
    const cluster = new Cluster(this, 'Cluster', { vpc: this.network.vpc });
    // Here and not by enableFargateCapacityProviders, which makes a resource that nothing waits for.
    (cluster.node.defaultChild as CfnCluster).capacityProviders = ['FARGATE', 'FARGATE_SPOT'];
    Validations.of(cluster).acknowledge({
      id: 'AwsSolutions-ECS4',
      reason:
        "The lanes are scaled and shown by metrics that cost nothing (AWS/ECS, AWS/SQS) and by the agent's own; Container Insights bills each metric of each task. A platform that wants it hands in its own cluster",
    });
    // The CDK's own classes do not fit its interfaces under exactOptionalPropertyTypes.
    return cluster;
  }

  private role(id: string): IRole {
    return new Role(this, id, { assumedBy: new ServicePrincipal('ecs-tasks.amazonaws.com') });
  }

  /** What a container needs that Lambda does for a function. */
  private grantPlatform(): void {
    const tasks = Stack.of(this).formatArn({
      service: 'ecs',
      resource: 'task',
      resourceName: `${this.cluster.clusterName}/*`,
      arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
    });
    this.taskRole.addToPrincipalPolicy(new PolicyStatement({ actions: PROTECTION_ACTIONS, resources: [tasks] }));
    acknowledgeWildcard(
      this.taskRole,
      tasks,
      'Tasks of one cluster: a task protects itself, and gets its id when it starts (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection-endpoint.html)',
    );
    this.taskRole.addToPrincipalPolicy(new PolicyStatement({ actions: TRACE_ACTIONS, resources: ['*'] }));
    acknowledgeWildcard(
      this.taskRole,
      '*',
      'X-Ray knows no resource for xray:PutTraceSegments (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html)',
    );
  }

  /**
   * A task definition keeps its logical id when its content changes, so there is no version in the template to refer to: this
   * takes the part. Of a value that is decided at deployment the reference takes part.
   */
  private digestOfLanes(): string {
    const lanes = Object.fromEntries(this.parts.map(({ laneName, service }) => [laneName, service.content()]));
    return `f-${digestOf(lanes as Json).slice(0, 12)}`;
  }
}
