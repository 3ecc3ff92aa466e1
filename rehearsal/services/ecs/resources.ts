import { z } from 'zod';
import { physicalName } from '../../core/physical-name';
import { cfnBoolean, cfnNumber, cfnTags, readProperties } from '../../core/properties';
import {
  FailedCreate,
  type ResourceDeleteRequest,
  ResourceFailure,
  type ResourceHandler,
  type ResourceOutcome,
  type ResourceRequest,
  type ResourceUpdateRequest,
} from '../../core/resource';
import { scaledTimeout } from '../../core/scaled-timeout';
import type { Clusters } from './clusters';
import { Service, type ServiceProps, type ServiceSettings } from './ecs-service';
import { ImageError, type Images } from './images';
import {
  clusterArn,
  type DeploymentRules,
  nameOf,
  type ServiceRevision,
  type StrategyItem,
  serviceArn,
  type Zone,
} from './model';
import { definitionOf, taskDefinitionSchema } from './task-definition-schema';
import type { TaskDefinitions } from './task-definitions';

const providersSchema = z.array(z.enum(['FARGATE', 'FARGATE_SPOT']));

const strategySchema = z
  .array(
    z.strictObject({
      Base: cfnNumber.pipe(z.number().int().min(0).max(100_000)).default(0),
      CapacityProvider: z.enum(['FARGATE', 'FARGATE_SPOT']),
      Weight: cfnNumber.pipe(z.number().int().min(0).max(1_000)).default(0),
    }),
  )
  .max(20)
  .transform((items) =>
    items.map(({ CapacityProvider: provider, Base, Weight }) => ({ provider, base: Base, weight: Weight })),
  );

const clusterSchema = z.strictObject({
  CapacityProviders: providersSchema.optional(),
  ClusterName: z
    .string()
    .regex(/^[A-Za-z][\w-]{0,254}$/)
    .optional(),
  ClusterSettings: z.array(z.strictObject({ Name: z.literal('containerInsights'), Value: z.string() })).optional(),
  Configuration: z.looseObject({}).optional(),
  DefaultCapacityProviderStrategy: strategySchema.optional(),
  Tags: cfnTags.optional(),
});

/** `AWS::ECS::Cluster`. Container Insights is accepted, but publishes no metrics. */
export function clusterHandler(clusters: Clusters): ResourceHandler {
  const type = 'AWS::ECS::Cluster';
  const put = (request: ResourceRequest, name: string): ResourceOutcome => {
    const given = readProperties(type, clusterSchema, request);
    const known = clusters.has(name) ? clusters.get(name) : undefined;
    clusters.put(name, {
      providers: given.CapacityProviders ?? known?.providers ?? [],
      defaultStrategy: given.DefaultCapacityProviderStrategy ?? known?.defaultStrategy ?? [],
    });
    return { physicalId: name, attributes: { Arn: clusterArn(name) } };
  };
  return {
    type,
    source: 'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ecs-cluster.html',
    properties: Object.keys(clusterSchema.shape),
    replaceOn: ['ClusterName'],
    create: async (request) => {
      const { ClusterName } = readProperties(type, clusterSchema, request);
      return put(request, ClusterName ?? physicalName(request.stack, request.logicalId, { maxLength: 255 }));
    },
    update: async (request) => put(request, request.physicalId),
    delete: async ({ physicalId }) => clusters.delete(physicalId),
  };
}

const associationsSchema = z.strictObject({
  CapacityProviders: providersSchema,
  Cluster: z.string(),
  DefaultCapacityProviderStrategy: strategySchema,
});

/** `AWS::ECS::ClusterCapacityProviderAssociations` */
export function associationsHandler(clusters: Clusters): ResourceHandler {
  const type = 'AWS::ECS::ClusterCapacityProviderAssociations';
  const put = (request: ResourceRequest): ResourceOutcome => {
    const given = readProperties(type, associationsSchema, request);
    clusters.associate(given.Cluster, given.CapacityProviders, given.DefaultCapacityProviderStrategy);
    return { physicalId: nameOf(given.Cluster), attributes: {} };
  };
  return {
    type,
    source:
      'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ecs-clustercapacityproviderassociations.html',
    properties: Object.keys(associationsSchema.shape),
    replaceOn: ['Cluster'],
    create: async (request) => put(request),
    update: async (request) => put(request),
    delete: async ({ physicalId }) => {
      if (clusters.has(physicalId)) {
        clusters.associate(physicalId, [], []);
      }
    },
  };
}

/** Image and overrides of a container as the template has them. */
const rawContainersSchema = z.array(
  z.looseObject({ Image: z.unknown(), Command: z.unknown().optional(), EntryPoint: z.unknown().optional() }),
);
const wordsSchema = z.array(z.string()).optional();

/** `AWS::ECS::TaskDefinition` for Fargate. */
export class TaskDefinitionHandler implements ResourceHandler {
  readonly #definitions: TaskDefinitions;
  readonly #images: Images;
  readonly type = 'AWS::ECS::TaskDefinition';
  readonly source =
    'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ecs-taskdefinition.html';
  readonly properties = Object.keys(taskDefinitionSchema.shape);
  readonly replaceOn = this.properties.filter((property) => property !== 'Tags');

  constructor(definitions: TaskDefinitions, images: Images) {
    this.#definitions = definitions;
    this.#images = images;
  }

  /** Images that cannot be run here. */
  refusals(properties: Readonly<Record<string, unknown>>, resolve: (value: unknown) => unknown): readonly string[] {
    const containers = rawContainersSchema.safeParse(properties.ContainerDefinitions);
    return (containers.data ?? []).flatMap(({ Image, Command, EntryPoint }) => {
      const image = resolve(Image);
      const [command, entryPoint] = [Command, EntryPoint].map((value) => wordsSchema.safeParse(resolve(value)).data);
      try {
        if (typeof image === 'string') {
          this.#images.launchOf(image, { command, entryPoint });
        }
        return [];
      } catch (error) {
        if (error instanceof ImageError) {
          return [error.message];
        }
        throw error;
      }
    });
  }

  async create(request: ResourceRequest): Promise<ResourceOutcome> {
    const properties = readProperties(this.type, taskDefinitionSchema, request);
    for (const { Image, Command, EntryPoint } of properties.ContainerDefinitions) {
      try {
        this.#images.launchOf(Image, { command: Command, entryPoint: EntryPoint });
      } catch (error) {
        throw error instanceof ImageError ? new ResourceFailure(`not rehearsable: ${error.message}`) : error;
      }
    }
    const family = properties.Family ?? `${request.stack.stackName}-${request.logicalId}`.slice(0, 255);
    return taskDefinitionOutcome(this.#definitions.register(family, definitionOf(properties)).arn);
  }

  async update({ physicalId }: ResourceUpdateRequest): Promise<ResourceOutcome> {
    return taskDefinitionOutcome(physicalId);
  }

  async delete({ physicalId }: ResourceDeleteRequest): Promise<void> {
    this.#definitions.deregister(physicalId);
  }
}

function taskDefinitionOutcome(arn: string): ResourceOutcome {
  return { physicalId: arn, attributes: { TaskDefinitionArn: arn } };
}

/**
 * Cloud milliseconds that CloudFormation waits for a service to become steady.
 * https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection.html
 */
const STABILIZATION_MS = 3 * 3_600_000;

const percent = (most: number) => cfnNumber.pipe(z.number().int().min(0).max(most));
const off = z.union([z.literal(false), z.literal('false')]);

const deploymentConfigurationSchema = z.strictObject({
  Alarms: z.strictObject({ AlarmNames: z.array(z.string()), Enable: off, Rollback: off }).optional(),
  BakeTimeInMinutes: z.union([z.literal(0), z.literal('0')]).optional(),
  DeploymentCircuitBreaker: z
    .strictObject({
      Enable: cfnBoolean,
      ResetOnHealthyTask: cfnBoolean.default(true),
      Rollback: cfnBoolean,
      ThresholdConfiguration: z
        .strictObject({ Type: z.enum(['COUNT', 'BOUNDED_PERCENT', 'UNBOUNDED_PERCENT']), Value: cfnNumber })
        .default({ Type: 'BOUNDED_PERCENT', Value: 50 }),
    })
    .optional(),
  EarlySuccessCriteria: z
    .strictObject({
      Enable: cfnBoolean,
      HealthyPercent: percent(100).optional(),
      SourceServiceRevisionCleanup: z.enum(['BLOCKING', 'DEFERRED']).optional(),
    })
    .optional(),
  MaximumPercent: percent(100_000).default(200),
  MinimumHealthyPercent: percent(100).default(100),
  Strategy: z.literal('ROLLING').optional(),
});

const serviceSchema = z.strictObject({
  AvailabilityZoneRebalancing: z.enum(['ENABLED', 'DISABLED']).optional(),
  CapacityProviderStrategy: strategySchema.optional(),
  Cluster: z.string(),
  DeploymentConfiguration: deploymentConfigurationSchema.prefault({}),
  DeploymentController: z.strictObject({ Type: z.literal('ECS') }).optional(),
  DesiredCount: cfnNumber.pipe(z.number().int().min(0)).optional(),
  EnableECSManagedTags: cfnBoolean.optional(),
  EnableExecuteCommand: cfnBoolean.optional(),
  LaunchType: z.literal('FARGATE').optional(),
  NetworkConfiguration: z.strictObject({
    AwsvpcConfiguration: z.strictObject({
      AssignPublicIp: z.enum(['ENABLED', 'DISABLED']).optional(),
      SecurityGroups: z.array(z.string()).max(5).optional(),
      Subnets: z.array(z.string()).min(1).max(16),
    }),
  }),
  PlatformVersion: z.enum(['LATEST', '1.4.0']).optional(),
  PropagateTags: z.enum(['SERVICE', 'TASK_DEFINITION', 'NONE']).optional(),
  SchedulingStrategy: z.literal('REPLICA').optional(),
  ServiceName: z
    .string()
    .regex(/^[\w-]{1,255}$/)
    .optional(),
  Tags: cfnTags.optional(),
  TaskDefinition: z.string(),
});
type ServiceProperties = z.infer<typeof serviceSchema>;

export interface ServiceHandlerProps extends Omit<ServiceProps, 'name' | 'cluster'> {
  readonly services: Map<string, Service>;
  readonly clusters: Clusters;
  readonly definitions: TaskDefinitions;
  /** Zone of a subnet of this cloud; undefined for another. */
  readonly zoneOf: (subnet: string) => string | undefined;
  /** Called when a deleted service has no task left. */
  readonly onDeleted: (service: Service) => void;
}

/**
 * `AWS::ECS::Service` for Fargate with rolling updates. Creation and update wait until the deployment has completed, and fail
 * when the circuit breaker gives it up.
 *
 * Not documented, our reading: deletion stops protected tasks as well, and waits until all have stopped.
 */
export class ServiceHandler implements ResourceHandler {
  readonly #props: ServiceHandlerProps;
  readonly type = 'AWS::ECS::Service';
  readonly source =
    'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ecs-service.html';
  readonly properties = Object.keys(serviceSchema.shape);
  readonly replaceOn = ['Cluster', 'LaunchType', 'SchedulingStrategy', 'ServiceName'];

  constructor(props: ServiceHandlerProps) {
    this.#props = props;
  }

  async create(request: ResourceRequest): Promise<ResourceOutcome> {
    const properties = readProperties(this.type, serviceSchema, request);
    const { clock, host, onEvent, services } = this.#props;
    const cluster = this.#props.clusters.get(properties.Cluster).name;
    const name = properties.ServiceName ?? physicalName(request.stack, request.logicalId, { maxLength: 255 });
    const arn = serviceArn(cluster, name);
    if (services.has(arn)) {
      throw new ResourceFailure(`InvalidParameterException: Creation of service was not idempotent: ${name} exists.`);
    }
    const settings = this.#settings(properties);
    const service = new Service({ name, cluster, clock, host, onEvent }, settings);
    services.set(arn, service);
    try {
      await this.#stabilize(service, request);
    } catch (error) {
      throw error instanceof ResourceFailure ? new FailedCreate(error.message, arn) : error;
    }
    return outcomeOf(service);
  }

  async update(request: ResourceUpdateRequest): Promise<ResourceOutcome> {
    const properties = readProperties(this.type, serviceSchema, request);
    const service = this.#service(request.physicalId);
    service.update(this.#settings(properties));
    await this.#stabilize(service, request);
    return outcomeOf(service);
  }

  async delete({ physicalId }: ResourceDeleteRequest): Promise<void> {
    const service = this.#props.services.get(physicalId);
    if (service !== undefined) {
      await service.drain();
      this.#props.services.delete(physicalId);
      this.#props.onDeleted(service);
    }
  }

  #service(arn: string): Service {
    const service = this.#props.services.get(arn);
    if (service === undefined) {
      throw new ResourceFailure(`ServiceNotFoundException: Service not found: ${arn}`);
    }
    return service;
  }

  async #stabilize(service: Service, request: ResourceRequest): Promise<void> {
    const { clock } = this.#props;
    const over = new AbortController();
    const limit = clock.sleep(scaledTimeout(clock, STABILIZATION_MS), over.signal).then(
      () => 'late' as const,
      () => 'late' as const,
    );
    const outcome = await Promise.race([service.deploymentSettled(), limit]);
    over.abort();
    if (outcome === 'late') {
      const { desired, running, pending } = service.view;
      throw new ResourceFailure(
        `service ${service.name} did not stabilize within ${STABILIZATION_MS / 3_600_000} hours: ${running} tasks running and ${pending} pending of ${desired}`,
      );
    }
    if (!outcome.completed) {
      throw new ResourceFailure(
        `Error occurred during operation 'ECS Deployment Circuit Breaker was triggered'. (${outcome.reason})`,
      );
    }
    request.report(`steady: ${service.view.running} of ${service.desiredCount} tasks running`);
  }

  #settings(properties: ServiceProperties): ServiceSettings {
    return {
      revision: this.#revision(properties),
      rules: rulesOf(properties),
      desired: properties.DesiredCount,
    };
  }

  #revision(properties: ServiceProperties): ServiceRevision {
    const definition = this.#props.definitions.find(properties.TaskDefinition);
    if (definition === undefined) {
      throw new ResourceFailure(
        `ClientException: TaskDefinition is inactive or does not exist: ${properties.TaskDefinition}`,
      );
    }
    const { AssignPublicIp, SecurityGroups = [], Subnets } = properties.NetworkConfiguration.AwsvpcConfiguration;
    return {
      definition,
      zones: this.#zones(Subnets),
      publicIp: AssignPublicIp === 'ENABLED',
      securityGroups: SecurityGroups,
      strategy: this.#strategy(properties),
    };
  }

  /** The zone of a subnet outside of this cloud is unknown: each such subnet counts as a zone of its own. */
  #zones(subnets: readonly string[]): readonly Zone[] {
    return subnets.map((subnet, index) => ({
      subnet,
      zone: this.#props.zoneOf(subnet) ?? `us-east-1${'abcdef'[index % 6]}`,
    }));
  }

  #strategy({ Cluster, CapacityProviderStrategy, LaunchType }: ServiceProperties): readonly StrategyItem[] {
    const { name, providers, defaultStrategy } = this.#props.clusters.get(Cluster);
    if (LaunchType !== undefined) {
      if (CapacityProviderStrategy !== undefined && CapacityProviderStrategy.length > 0) {
        throw new ResourceFailure(
          'InvalidParameterException: Specifying both a launch type and capacity provider strategy is not supported.',
        );
      }
      return [{ provider: 'FARGATE', base: 0, weight: 1 }];
    }
    const given = CapacityProviderStrategy ?? [];
    const strategy = given.length > 0 ? given : defaultStrategy;
    if (strategy.length === 0) {
      return [{ provider: 'FARGATE', base: 0, weight: 1 }];
    }
    const foreign = strategy.find(({ provider }) => !providers.includes(provider));
    if (foreign !== undefined) {
      throw new ResourceFailure(
        `InvalidParameterException: The specified capacity provider ${foreign.provider} is not associated with cluster ${name}; it has: ${providers.join(', ') || 'none'}.`,
      );
    }
    if (!strategy.some(({ weight }) => weight > 0)) {
      throw new ResourceFailure(
        'InvalidParameterException: At least one capacity provider of a strategy must have a weight greater than 0.',
      );
    }
    return strategy;
  }
}

function rulesOf({ DeploymentConfiguration: given, AvailabilityZoneRebalancing }: ServiceProperties): DeploymentRules {
  const {
    MaximumPercent,
    MinimumHealthyPercent,
    DeploymentCircuitBreaker: breaker,
    EarlySuccessCriteria: early,
  } = given;
  if (MaximumPercent < 100 || MaximumPercent <= MinimumHealthyPercent) {
    throw new ResourceFailure(
      `InvalidParameterException: MaximumPercent ${MaximumPercent} must be at least 100 and above MinimumHealthyPercent ${MinimumHealthyPercent}: nothing could ever be replaced.`,
    );
  }
  // https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-rebalancing.html
  if (AvailabilityZoneRebalancing === 'ENABLED' && MaximumPercent <= 100) {
    throw new ResourceFailure(
      'InvalidParameterException: Availability Zone rebalancing needs a MaximumPercent above 100.',
    );
  }
  return {
    minimumHealthyPercent: MinimumHealthyPercent,
    maximumPercent: MaximumPercent,
    breaker:
      breaker?.Enable === true
        ? {
            rollback: breaker.Rollback,
            resetOnHealthyTask: breaker.ResetOnHealthyTask,
            threshold: { type: breaker.ThresholdConfiguration.Type, value: breaker.ThresholdConfiguration.Value },
          }
        : undefined,
    early: early?.Enable === true ? earlyOf(early, MinimumHealthyPercent) : undefined,
  };
}

/** https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentEarlySuccessCriteria.html */
function earlyOf(
  early: NonNullable<ServiceProperties['DeploymentConfiguration']['EarlySuccessCriteria']>,
  minimum: number,
): NonNullable<DeploymentRules['early']> {
  const { HealthyPercent: healthyPercent, SourceServiceRevisionCleanup: cleanup } = early;
  if (healthyPercent === undefined || cleanup === undefined || healthyPercent < minimum) {
    throw new ResourceFailure(
      `InvalidParameterException: EarlySuccessCriteria needs SourceServiceRevisionCleanup and a HealthyPercent from MinimumHealthyPercent (${minimum}) to 100, and has ${JSON.stringify(early)}.`,
    );
  }
  return { healthyPercent, cleanup };
}

function outcomeOf(service: Service): ResourceOutcome {
  return { physicalId: service.arn, attributes: { Name: service.name, ServiceArn: service.arn } };
}
