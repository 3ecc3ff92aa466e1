import { z } from 'zod';
import { physicalName } from '../../core/physical-name';
import { cfnNumber, cfnTags, readProperties } from '../../core/properties';
import { ResourceFailure, type ResourceHandler, type ResourceOutcome, type ResourceRequest } from '../../core/resource';
import { clusterArn, nameOf } from './arn';
import type { CapacityProvider, StrategyItem } from './model';

interface Cluster {
  providers: readonly CapacityProvider[];
  defaultStrategy: readonly StrategyItem[];
}

const providersSchema = z.array(z.enum(['FARGATE', 'FARGATE_SPOT']));

export const strategySchema = z
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

/** Clusters, with the capacity that their services may have. */
export class Clusters {
  readonly #isUsed: (cluster: string, provider?: CapacityProvider) => boolean;
  readonly #byName = new Map<string, Cluster>();

  /** @param isUsed whether services of the cluster use the provider; without one: whether there are services at all */
  constructor(isUsed: (cluster: string, provider?: CapacityProvider) => boolean) {
    this.#isUsed = isUsed;
  }

  put(name: string, cluster: Cluster): void {
    this.#byName.set(name, cluster);
  }

  /** @throws ResourceFailure */
  get(reference: string): Cluster & { readonly name: string } {
    const name = nameOf(reference);
    const cluster = this.#byName.get(name);
    if (cluster === undefined) {
      throw new ResourceFailure(`ClusterNotFoundException: Cluster not found: ${reference}`);
    }
    return { ...cluster, name };
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  /** @throws ResourceFailure while it has services */
  delete(name: string): void {
    if (this.#isUsed(name)) {
      throw new ResourceFailure(
        'ClusterContainsServicesException: The Cluster cannot be deleted while Services are active.',
      );
    }
    this.#byName.delete(name);
  }

  /** @throws ResourceFailure when a provider is taken away that a service uses */
  associate(reference: string, providers: readonly CapacityProvider[], strategy: readonly StrategyItem[]): void {
    const { name, providers: before } = this.get(reference);
    const missed = before.find((provider) => !providers.includes(provider) && this.#isUsed(name, provider));
    if (missed !== undefined) {
      throw new ResourceFailure(
        `ResourceInUseException: The specified capacity provider ${missed} is in use and cannot be removed.`,
      );
    }
    this.#byName.set(name, { providers, defaultStrategy: strategy });
  }
}

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

/** `AWS::ECS::Cluster`. Container Insights is accepted, and its metrics are not there. */
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
