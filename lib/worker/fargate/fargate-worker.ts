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
import { acknowledgeWildcard, describeValue, laneError, pascalCase } from '../../common';
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
 * Initial visibility timeout of a message. The worker claims it within seconds, and from its first heartbeat on sets the
 * visibility itself, to a little more than its lease. So this is the delay before another worker receives the message of a
 * worker that died in between.
 */
const VISIBILITY_MS = LEASE_MS + 30_000;

export interface FargateWorkerProps {
  readonly worker: FargateWorkerOptions;
  readonly context: WorkerContext;
}

/** The part of a Fargate worker that belongs to the release. */
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

/** Resources of one lane. */
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
        description: `Workers of agent ${context.agentName}: egress only`,
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
      'ecr:GetAuthorizationToken does not support resource-level permissions; the repositories to pull from are named (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html)',
    );
    this.taskRole = this.role('Role');
    this.grantPrincipal = this.taskRole.grantPrincipal;
    grantContract(this, this.taskRole, context);
    this.grantPlatform();

    this.environment = {
      // Fargate sets it as well, but that is not documented.
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

  /** Attempts whose container was killed or crashed, found by the next attempt. Count; sum by default. */
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
        graph(`Messages per worker (scales to ${backlogPerWorker})`, ({ laneName, metrics }) => [
          metrics.backlogPerWorker(`${laneName} lane`),
        ]),
        graph('Messages waiting or in flight', ({ laneName, metrics }) => [
          metrics.load(`${laneName} lane`),
          metrics.arrivals(`${laneName} lane, new in the minute`),
        ]),
      ],
      [
        graph('CPU of the workers, average (%)', ({ laneName, metrics }) => [
          metrics.service('CPUUtilization', Stats.AVERAGE, `${laneName} lane`),
        ]),
        graph('Memory of the workers, maximum (%)', ({ laneName, metrics }) => [
          metrics.service('MemoryUtilization', Stats.MAXIMUM, `${laneName} lane`),
        ]),
      ],
    ];
  }

  /** Services that the worker itself calls, in addition to S3 and DynamoDB. */
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

  /** @throws LaneError for requirements that the network does not meet */
  private checkReach(): void {
    const { worker, context } = this.props;
    const standby = context.availability?.standby ?? 0;
    const { network, capacity } = this.settings;
    const zones = zonesOf(this.network.subnets);
    if (standby > 1 && zones.length < 2) {
      throw laneError(
        this,
        'TooFewAvailabilityZones',
        `the subnets of the worker must be in at least two zones, got ${zones.map(describeValue).join(', ')}: the environment requires ${standby} standby workers, and workers in one zone fail together; add subnets`,
      );
    }
    if (!network.reachesInternet) {
      if (worker.image?.needsInternet === true || worker.workerImage?.needsInternet === true) {
        throw laneError(
          this,
          'UnreachableImage',
          'an image of the worker is in a registry outside AWS, which the isolated network cannot reach; use AgentImage.ecr or AgentImage.asset, or another network',
        );
      }
      const outside = context.release.models.find(({ _settings }) => _settings.provider !== 'bedrock');
      if (outside !== undefined) {
        Annotations.of(this).addWarningV2(
          'cdk-agent-lanes:modelOutOfReach',
          `the network of the worker is isolated, and model ${outside._settings.id} is served by ${outside._settings.provider}: tasks cannot reach it, unless it is inside the VPC; use a model on Bedrock, or another network`,
        );
      }
    }
    if (standby > 0 && capacity.spotOnly) {
      Annotations.of(this).addWarningV2(
        'cdk-agent-lanes:spotOnly',
        'all workers run on Spot, in an environment with standby workers: no task runs while AWS has no spare capacity; use FargateCapacity.mix',
      );
    }
  }

  private ownCluster(): ICluster {
    const cluster = new Cluster(this, 'Cluster', { vpc: this.network.vpc });
    // enableFargateCapacityProviders would create a resource that nothing depends on.
    (cluster.node.defaultChild as CfnCluster).capacityProviders = ['FARGATE', 'FARGATE_SPOT'];
    Validations.of(cluster).acknowledge({
      id: 'AwsSolutions-ECS4',
      reason:
        "Scaling and dashboard use free metrics (AWS/ECS, AWS/SQS) and the agent's own; Container Insights bills each metric of each task. To have it, pass an existing cluster",
    });
    return cluster;
  }

  private role(id: string): IRole {
    return new Role(this, id, { assumedBy: new ServicePrincipal('ecs-tasks.amazonaws.com') });
  }

  /** Permissions that a container needs and a function does not: task protection and traces. */
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
      'The ECS tasks of one cluster: a task protects itself, and its id is not known before it starts (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection-endpoint.html)',
    );
    this.taskRole.addToPrincipalPolicy(new PolicyStatement({ actions: TRACE_ACTIONS, resources: ['*'] }));
    acknowledgeWildcard(
      this.taskRole,
      '*',
      'xray:PutTraceSegments does not support resource-level permissions (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html)',
    );
  }

  /**
   * Version of the worker. A task definition keeps its logical id when its content changes, so the template has no version to
   * refer to. A value that is known only at deployment is represented by its reference.
   */
  private digestOfLanes(): string {
    const lanes = Object.fromEntries(this.parts.map(({ laneName, service }) => [laneName, service.content()]));
    return `f-${digestOf(lanes as Json).slice(0, 12)}`;
  }
}
