import { z } from 'zod';
import { Env, LANES, type LaneName, PRIORITIES } from '../../../lib/contract';
import { DrillError } from './agent-stack';

/** The deployed agent. */
export interface AgentUnderTest {
  readonly name: string;
  readonly release: string;
  /** URL of the HTTP API. */
  readonly endpoint: string;
  readonly tasksTable: string;
  readonly controlTable: string;
  readonly queues: QueueUrls;
}

export type QueueUrls = Readonly<Record<LaneName, Readonly<Record<(typeof PRIORITIES)[number], string>>>>;

/** A deployed resource of the stack. */
export interface DeployedResource {
  readonly type: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

const queueUrlsSchema = z.record(z.enum(LANES), z.record(z.enum(PRIORITIES), z.string()));

const routerSchema = z.looseObject({
  Environment: z.looseObject({ Variables: z.looseObject({ [Env.QUEUES]: z.string(), [Env.AUTH]: z.string() }) }),
});

/** Outputs of an AgentService. Their keys consist of the construct's path, the output's name and a hash. */
const OUTPUTS = ['AgentName', 'ReleaseId', 'Endpoint', 'TasksTable', 'ControlTable'] as const;
type OutputName = (typeof OUTPUTS)[number];

/**
 * Finds the agent in the outputs of its stack.
 *
 * @throws DrillError if the stack does not have the outputs of exactly one agent
 */
export function findAgent(
  stackName: string,
  outputs: Readonly<Record<string, string>>,
  resources: readonly DeployedResource[],
): AgentUnderTest {
  const agents = new Map<string, Partial<Record<OutputName, string>>>();
  for (const [key, value] of Object.entries(outputs)) {
    const match = new RegExp(`^(.*?)(${OUTPUTS.join('|')})([0-9A-F]{8})?$`).exec(key);
    if (match !== null) {
      const [, path = '', name = ''] = match;
      agents.set(path, { ...agents.get(path), [name]: value });
    }
  }
  const complete = [...agents.values()].filter((found) => OUTPUTS.every((name) => found[name] !== undefined));
  const [found] = complete;
  if (found === undefined || complete.length > 1) {
    throw new DrillError(
      `stack ${stackName} has the outputs of ${complete.length} agents (${Object.keys(outputs).join(', ') || 'no output'}), expected exactly one: ${OUTPUTS.join(', ')}`,
    );
  }
  return {
    name: found.AgentName ?? '',
    release: found.ReleaseId ?? '',
    endpoint: found.Endpoint ?? '',
    tasksTable: found.TasksTable ?? '',
    controlTable: found.ControlTable ?? '',
    queues: queuesOf(stackName, resources),
  };
}

function queuesOf(stackName: string, resources: readonly DeployedResource[]): QueueUrls {
  for (const resource of resources) {
    const router = resource.type === 'AWS::Lambda::Function' ? routerSchema.safeParse(resource.properties) : undefined;
    if (router?.success) {
      return queueUrlsSchema.parse(JSON.parse(router.data.Environment.Variables[Env.QUEUES]));
    }
  }
  throw new DrillError(
    `stack ${stackName} has no router function (one with ${Env.QUEUES} and ${Env.AUTH} in its environment)`,
  );
}
