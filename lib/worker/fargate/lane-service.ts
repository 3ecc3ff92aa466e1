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

/** The container of an agent that has one. */
export interface AgentContainerSpec {
  readonly image: ContainerImage;
  /** In place of the image's own. */
  readonly command?: string[];
}

export interface LaneServiceProps {
  readonly laneName: string;
  readonly clusterName: string;
  readonly settings: FargateSettings;
  readonly network: NetworkConfig;
  readonly securityGroups: readonly ISecurityGroup[];
  readonly workerImage: ContainerImage;
  /** Undefined: the agent runs in the worker's process. */
  readonly agent: AgentContainerSpec | undefined;
  /** Of the worker's container. */
  readonly environment: { readonly [name: string]: string };
  readonly taskRole: IRole;
  readonly executionRole: IRole;
  readonly logGroup: ILogGroup;
  /** Come before the first container. */
  readonly ready: readonly IDependable[];
}

/**
 * Of the desired tasks, so many may exist during a deployment: the new ones beside old ones of two deployments that still
 * finish what they run.
 */
const MAXIMUM_PERCENT = 300;

/** The agent's container is told to stop when the worker is gone: there is nothing left for it to finish. */
const AGENT_STOP_TIMEOUT = Duration.seconds(10);

/** Lines that are held in memory while the log does not take them. Then they are dropped: no task waits for the log. */
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
    // The revision before is what a deployment that fails goes back to, and what old tasks still run.
    this.definition.applyRemovalPolicy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE);

    this.service = new CfnService(this, 'Service', {
      cluster: props.clusterName,
      taskDefinition: definition.taskDefinitionArn,
      // No desired count: it is the scaling's, and one in the template would undo it with every deployment.
      capacityProviderStrategy: settings.capacity._strategy(),
      networkConfiguration: {
        awsvpcConfiguration: {
          subnets: network.subnets.subnetIds,
          // Rules may be added to the group to the very end, groups may not.
          securityGroups: props.securityGroups.map(({ securityGroupId }) => securityGroupId),
          assignPublicIp: network.assignPublicIp ? 'ENABLED' : 'DISABLED',
        },
      },
      deploymentConfiguration: {
        minimumHealthyPercent: 100,
        maximumPercent: MAXIMUM_PERCENT,
        deploymentCircuitBreaker: { enable: true, rollback: true },
        // The deployment is over when the new tasks are healthy. The old ones go when they are done: a protected task would
        // else hold up CloudFormation for as long as it runs.
        earlySuccessCriteria: { enable: true, healthyPercent: 100, sourceServiceRevisionCleanup: 'DEFERRED' },
      },
      availabilityZoneRebalancing: 'ENABLED',
      enableEcsManagedTags: true,
      propagateTags: 'SERVICE',
    });
    this.service.node.addDependency(props.taskRole, props.executionRole, ...props.ready);
  }

  /** All of the lane that runs tasks, as it stands in the template, less the tags. */
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
      // The library's own code writes no file; an agent in its process may.
      readonlyRootFilesystem: props.agent !== undefined,
      healthCheck: {
        command: ['CMD', 'node', 'index.js', 'health'],
        // Each check is a start of Node.js: over a second of a quarter of a vCPU.
        interval: Duration.seconds(30),
        timeout: Duration.seconds(10),
        retries: 3,
        // The worker is well when its agent is, and gives it two minutes for that.
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
      // ECS stops containers in the reverse order: the agent outlives the worker, and so the tasks that it runs.
      worker.addContainerDependencies({ container: agent, condition: ContainerDependencyCondition.START });
    }
    Validations.of(definition).acknowledge({
      id: 'AwsSolutions-ECS2',
      reason:
        'The variables are names, URLs and numbers of this service, as the release pins them. Secrets are none of them: the worker reads those by ARN while it runs, so that a rotation needs no deployment',
    });
    return definition;
  }
}

/** With every token resolved: what is decided at deployment stands there as a reference. */
function propertiesOf(resource: CfnResource): Readonly<Record<string, unknown>> {
  const template: { Resources: Record<string, { Properties?: Record<string, unknown> }> } = Stack.of(resource).resolve(
    resource._toCloudFormation(),
  );
  return Object.values(template.Resources)[0]?.Properties ?? {};
}
