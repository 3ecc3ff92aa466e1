import { type CfnResource, Duration, RemovalPolicy, Size, Stack, Validations } from 'aws-cdk-lib';
import type { ISecurityGroup } from 'aws-cdk-lib/aws-ec2';
import {
  AwsLogDriverMode,
  CfnService,
  type CfnTaskDefinition,
  ContainerDependencyCondition,
  type ContainerImage,
  FargateTaskDefinition,
  LogDrivers,
  OperatingSystemFamily,
} from 'aws-cdk-lib/aws-ecs';
import type { IRole } from 'aws-cdk-lib/aws-iam';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct, type IDependable } from 'constructs';
import { AGENT_PORT_VARIABLE, ContainerName } from '../../contract';
import type { FargateSettings } from './fargate-settings';
import type { NetworkConfig } from './network';

/** The agent's own container. */
export interface AgentContainerSpec {
  /** Image of the agent. */
  readonly image: ContainerImage;
  /** Overrides the command of the image. */
  readonly command?: string[];
}

/** Settings of a {@link LaneService}. */
export interface LaneServiceProps {
  readonly laneName: string;
  readonly clusterName: string;
  readonly settings: FargateSettings;
  readonly network: NetworkConfig;
  readonly securityGroups: readonly ISecurityGroup[];
  readonly workerImage: ContainerImage;
  /** Undefined: the agent runs in the worker's process. */
  readonly agent: AgentContainerSpec | undefined;
  /** Environment variables of the worker's container. */
  readonly environment: { readonly [name: string]: string };
  readonly taskRole: IRole;
  readonly executionRole: IRole;
  readonly logGroup: ILogGroup;
  /** The service depends on these: the network must exist before the first container starts. */
  readonly ready: readonly IDependable[];
}

/**
 * Maximum number of ECS tasks during a deployment, in percent of the desired count: the new ones, and those of two earlier
 * deployments that still finish their tasks.
 */
const MAXIMUM_PERCENT = 300;

/** ECS stops the agent's container after the worker has exited: it has nothing left to finish. */
const AGENT_STOP_TIMEOUT = Duration.seconds(10);

/** Buffer for log lines while CloudWatch Logs is unavailable. Further lines are dropped: no task waits for the log. */
const LOG_BUFFER = Size.mebibytes(25);

/** Task definition and service of one lane. */
export class LaneService extends Construct {
  readonly service: CfnService;
  private readonly definition: CfnTaskDefinition;

  constructor(scope: Construct, id: string, props: LaneServiceProps) {
    super(scope, id);
    const { settings, network } = props;
    const definition = this.taskDefinition(props);
    this.definition = definition.node.defaultChild as CfnTaskDefinition;
    // A failed deployment rolls back to the previous revision, and old ECS tasks still run it.
    this.definition.applyRemovalPolicy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE);

    this.service = new CfnService(this, 'Service', {
      cluster: props.clusterName,
      taskDefinition: definition.taskDefinitionArn,
      // No desired count: scaling sets it, and one in the template would reset it with every deployment.
      capacityProviderStrategy: settings.capacity._strategy(),
      networkConfiguration: {
        awsvpcConfiguration: {
          subnets: network.subnets.subnetIds,
          // Rules may be added to the groups until synth; further groups may not.
          securityGroups: props.securityGroups.map(({ securityGroupId }) => securityGroupId),
          assignPublicIp: network.assignPublicIp ? 'ENABLED' : 'DISABLED',
        },
      },
      deploymentConfiguration: {
        minimumHealthyPercent: 100,
        maximumPercent: MAXIMUM_PERCENT,
        deploymentCircuitBreaker: { enable: true, rollback: true },
        // The deployment is complete when the new ECS tasks are healthy. The old ones stop when they are idle: a protected
        // task would otherwise block CloudFormation while it runs.
        earlySuccessCriteria: { enable: true, healthyPercent: 100, sourceServiceRevisionCleanup: 'DEFERRED' },
      },
      availabilityZoneRebalancing: 'ENABLED',
      enableEcsManagedTags: true,
      propagateTags: 'SERVICE',
    });
    this.service.node.addDependency(props.taskRole, props.executionRole, ...props.ready);
  }

  /** The task definition, capacity and network of the lane as in the template, without tags. */
  content(): unknown {
    const { Tags: _, ...definition } = propertiesOf(this.definition);
    const { CapacityProviderStrategy, NetworkConfiguration } = propertiesOf(this.service);
    return { definition, CapacityProviderStrategy, NetworkConfiguration };
  }

  private taskDefinition(props: LaneServiceProps): FargateTaskDefinition {
    const { settings, laneName } = props;
    const definition = new FargateTaskDefinition(this, 'Tasks', {
      cpu: settings.size.cpu,
      memoryLimitMiB: settings.size.memoryMiB,
      runtimePlatform: {
        cpuArchitecture: settings.architecture,
        operatingSystemFamily: OperatingSystemFamily.LINUX,
      },
      taskRole: props.taskRole,
      executionRole: props.executionRole,
    });
    const logging = LogDrivers.awsLogs({
      logGroup: props.logGroup,
      streamPrefix: laneName,
      mode: AwsLogDriverMode.NON_BLOCKING,
      maxBufferSize: LOG_BUFFER,
    });
    const worker = definition.addContainer(ContainerName.WORKER, {
      image: props.workerImage,
      environment: { ...props.environment },
      stopTimeout: settings.stopTimeout,
      // The library's own code writes no files; an agent in its process may.
      readonlyRootFilesystem: props.agent !== undefined,
      healthCheck: {
        command: ['CMD', 'node', 'index.js', 'health'],
        // Each check starts Node.js: more than a second with a quarter of a vCPU.
        interval: Duration.seconds(30),
        timeout: Duration.seconds(10),
        retries: 3,
        // The worker is healthy when its agent is, and waits two minutes for that.
        startPeriod: Duration.seconds(180),
      },
      logging,
    });
    if (props.agent !== undefined) {
      const { image, command } = props.agent;
      const agent = definition.addContainer(ContainerName.AGENT, {
        image,
        environment: { ...settings.environment, [AGENT_PORT_VARIABLE]: String(settings.port) },
        stopTimeout: AGENT_STOP_TIMEOUT,
        logging,
        command,
      });
      // ECS stops containers in reverse order: the agent runs until the worker has exited.
      worker.addContainerDependencies({ container: agent, condition: ContainerDependencyCondition.START });
    }
    Validations.of(definition).acknowledge({
      id: 'AwsSolutions-ECS2',
      reason:
        'The variables are names, URLs and numbers of this service. Secrets are not among them: the worker reads secrets by ARN at run time, so that a rotation needs no deployment',
    });
    return definition;
  }
}

/** Properties with resolved tokens: values that are known only at deployment are references. */
function propertiesOf(resource: CfnResource): Readonly<Record<string, unknown>> {
  const template: { Resources: Record<string, { Properties?: Record<string, unknown> }> } = Stack.of(resource).resolve(
    resource._toCloudFormation(),
  );
  return Object.values(template.Resources)[0]?.Properties ?? {};
}
