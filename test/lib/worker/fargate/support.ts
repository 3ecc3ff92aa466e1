import type { Duration, Stack } from 'aws-cdk-lib';
import { type ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { AgentLane, type ILaneQueues } from '../../../../lib/lanes';
import { type Behavior, Release } from '../../../../lib/release';
import { AgentStore } from '../../../../lib/state';
import {
  AgentImage,
  FargateWorker,
  type FargateWorkerOptions,
  type WorkerContext,
  WorkerSpec,
} from '../../../../lib/worker';
import { testBehavior } from '../../../support/agent-folder';
import { testStack } from '../../../support/stack';
import { type Resources, resourcesOf, type TemplateResource } from '../../../support/template';

export const DIGEST = `sha256:${'a'.repeat(64)}`;
export const IMAGE = AgentImage.digest(`public.ecr.aws/acme/agent@${DIGEST}`);

export interface Options {
  readonly stack?: Stack;
  readonly behavior?: Behavior;
  readonly secrets?: (stack: Stack) => { [name: string]: ISecret };
  readonly context?: Partial<WorkerContext>;
  /** @default both */
  readonly lanes?: readonly AgentLane[];
}

export interface Built {
  readonly stack: Stack;
  readonly worker: FargateWorker;
  readonly release: Release;
}

/** A worker with its lanes, as an agent service builds it. */
export function build(props: FargateWorkerOptions = { image: IMAGE }, options: Options = {}): Built {
  const stack = options.stack ?? testStack();
  const kind = WorkerSpec.fargate(props);
  const release = new Release(stack, 'Release', {
    behavior: options.behavior ?? testBehavior(),
    worker: kind._describe(stack, options.behavior ?? testBehavior()),
  });
  // The CDK's own classes do not fit its interfaces under exactOptionalPropertyTypes.
  const secrets = options.secrets?.(stack) ?? { anthropic: new Secret(stack, 'Key') };
  const worker = kind._bind(stack, 'Worker', {
    agentName: 'support',
    release,
    store: new AgentStore(stack, 'Store'),
    secrets,
    ...options.context,
  });
  if (!(worker instanceof FargateWorker)) {
    throw new Error('WorkerSpec.fargate made another worker');
  }
  for (const name of options.lanes ?? [AgentLane.STABLE, AgentLane.CANDIDATE]) {
    worker.attachLane(lane(stack, name, worker.visibilityTimeout));
  }
  return { stack, worker, release };
}

export function lane(stack: Stack, laneName: string, visibilityTimeout: Duration, maxReceiveCount = 20): ILaneQueues {
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

/** All resources of a type, in the template's order. */
export function ofType(stack: Stack, type: string): TemplateResource[] {
  return Object.values(resourcesOf(stack)).filter((resource) => resource.Type === type);
}

/** The one resource of a type. */
export function only(stack: Stack, type: string): TemplateResource {
  const [resource, ...more] = ofType(stack, type);
  if (resource === undefined || more.length > 0) {
    throw new Error(`${resource === undefined ? 0 : more.length + 1} resources of type ${type}, expected one`);
  }
  return resource;
}

/** A container of a task definition. */
export interface Container {
  readonly Name: string;
  readonly Environment?: readonly { readonly Name: string; readonly Value: unknown }[];
  readonly [property: string]: unknown;
}

/** Containers of a lane's task definition by their names. */
export function containersOf(resources: Resources, laneName: string): Record<string, Container> {
  const definition = Object.entries(resources).find(
    ([id, { Type }]) => Type === 'AWS::ECS::TaskDefinition' && id.toLowerCase().includes(laneName),
  )?.[1];
  const containers = (definition?.Properties?.ContainerDefinitions ?? []) as Container[];
  return Object.fromEntries(containers.map((container) => [container.Name, container]));
}

export function environmentOf(container: Container | undefined): Record<string, unknown> {
  return Object.fromEntries((container?.Environment ?? []).map(({ Name, Value }) => [Name, Value]));
}

interface Statement {
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
}

/** Actions of a role's policy; `on *` where no resource is named. */
export function actionsOf(stack: Stack, role: string): string[] {
  const policies = Object.entries(resourcesOf(stack)).filter(
    ([id, { Type }]) => Type === 'AWS::IAM::Policy' && id.startsWith(`${role}DefaultPolicy`),
  );
  const actions = policies.flatMap(([, { Properties }]) => {
    const document = Properties?.PolicyDocument as { Statement: Statement[] } | undefined;
    return (document?.Statement ?? []).flatMap(({ Action, Resource }) =>
      [Action].flat().map((action) => `${action}${Resource === '*' ? ' on *' : ''}`),
    );
  });
  return [...new Set(actions)].sort();
}
