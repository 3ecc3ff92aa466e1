import { z } from 'zod';
import { Env } from '../../../lib/contract';
import type { Call } from '../../core/service';
import type { DeployedResource, QueueUrls } from './agent-under-test';

const mappingSchema = z.looseObject({ EventSourceArn: z.string(), FunctionName: z.string() });
const integrationSchema = z.looseObject({ IntegrationUri: z.string() });

const serviceSchema = z.looseObject({ TaskDefinition: z.string() });
const definitionSchema = z.looseObject({
  ContainerDefinitions: z.array(
    z.looseObject({ Environment: z.array(z.looseObject({ Name: z.string() })).optional() }),
  ),
});

/** A deployed resource, with its physical id and attributes. */
export interface PlacedResource extends DeployedResource {
  readonly physicalId: string;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
}

/** The functions and services that process tasks. */
export interface DataPlane {
  /** Functions that queues and the HTTP API invoke, and services that poll a lane; not functions that only deployments invoke. */
  readonly functions: ReadonlySet<string>;
  /** The subset that processes the lanes' queues. */
  readonly workers: ReadonlySet<string>;
}

export function dataPlaneOf(resources: readonly PlacedResource[], queues: QueueUrls): DataPlane {
  const functions = new Set<string>();
  const workers = new Set<string>();
  const laneQueues = new Set(
    Object.values(queues).flatMap((lane) => Object.values(lane).map((url) => url.slice(url.lastIndexOf('/') + 1))),
  );
  for (const { type, properties, attributes } of resources) {
    if (type === 'AWS::Lambda::EventSourceMapping') {
      const { EventSourceArn, FunctionName } = mappingSchema.parse(properties);
      const name = functionNameOf(FunctionName);
      functions.add(name);
      if (laneQueues.has(EventSourceArn.slice(EventSourceArn.lastIndexOf(':') + 1))) {
        workers.add(name);
      }
    } else if (type === 'AWS::ApiGatewayV2::Integration') {
      functions.add(functionNameOf(integrationSchema.parse(properties).IntegrationUri));
    } else if (type === 'AWS::ECS::Service' && pollsLane(serviceSchema.parse(properties).TaskDefinition, resources)) {
      functions.add(String(attributes.Name));
      workers.add(String(attributes.Name));
    }
  }
  return { functions, workers };
}

/** Whether a container of the task definition has a lane in its environment. */
function pollsLane(definition: string, resources: readonly PlacedResource[]): boolean {
  const found = resources.find(({ physicalId }) => physicalId === definition);
  return (
    found !== undefined &&
    definitionSchema
      .parse(found.properties)
      .ContainerDefinitions.some(({ Environment = [] }) => Environment.some(({ Name }) => Name === Env.LANE))
  );
}

/** Function name in a name, a function ARN (with version or alias), or an API Gateway integration URI. */
function functionNameOf(reference: string): string {
  return /:function:([\w-]+)/.exec(reference)?.[1] ?? reference.split(':')[0] ?? reference;
}

/** Whether a call renews the lease of a task: it sets the lease and not the status. */
export function isHeartbeat(service: string, { operation, input }: Call): boolean {
  if (service !== 'dynamodb' || operation !== 'UpdateItem') {
    return false;
  }
  const names = (input.ExpressionAttributeNames ?? {}) as Readonly<Record<string, string>>;
  const set = [...String(input.UpdateExpression ?? '').matchAll(/(#?\w+)(?:\.[#\w]+)*\s*=/g)].map(
    ([, name = '']) => names[name] ?? name,
  );
  return set.includes('lease') && !set.includes('status');
}

/** Whether an event has a probe: faults must not apply to it, because a deployment sends only one. */
export function hasProbe(event: string): boolean {
  return /\\*"mode\\*":\s*\\*"probe/.test(event);
}
