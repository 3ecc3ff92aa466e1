import { randomUUID } from 'node:crypto';
import { createServer } from 'node:net';
import { AGENT_PORT_VARIABLE, Env } from '../../../lib/contract';
import type { RehearsalClock } from '../../core/clock';
import { REHEARSAL_REGION } from '../../core/resource';
import { programPath } from './images';
import type { ContainerDefinition } from './model';

/** Ports of one task: all tasks share 127.0.0.1 here, while on AWS each has an address of its own. */
export interface TaskPorts {
  readonly agent: number;
  readonly worker: number;
}

/** How a container finds what ECS serves to it. */
export interface ContainerEndpoints {
  readonly agentUri: string;
  readonly metadataUri: string;
  /** Undefined for a task without a role. */
  readonly credentials: { readonly uri: string; readonly token: string } | undefined;
}

export interface EnvironmentRequest {
  readonly definition: ContainerDefinition;
  /** What the image brings along. */
  readonly image: Readonly<Record<string, string>>;
  readonly extra: Readonly<Record<string, string>>;
  readonly ports: TaskPorts;
  readonly endpoints: ContainerEndpoints;
  readonly endpointUrl: string;
  readonly clock: Pick<RehearsalClock, 'settings'>;
  readonly home: string;
}

/**
 * Variables of a container's process: the image's, the definition's, what Fargate adds, and what redirects its
 * clients to the rehearsal. Variables that name ports of the task get its own.
 *
 * @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate.html
 * @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
 */
export function environmentOf(request: EnvironmentRequest): Record<string, string> {
  const { definition, endpoints, ports } = request;
  const { credentials } = endpoints;
  const own: Record<string, string> = { ...request.image, ...definition.environment };
  const given: readonly (readonly [string, number])[] = [
    [Env.WORKER_PORT, ports.worker],
    [Env.AGENT_PORT, ports.agent],
    [AGENT_PORT_VARIABLE, ports.agent],
  ];
  for (const [name, port] of given) {
    if (name in own) {
      own[name] = String(port);
    }
  }
  return {
    PATH: programPath(),
    HOME: request.home,
    LANG: 'C.UTF-8',
    TZ: 'UTC',
    ...own,
    ...request.extra,
    HOSTNAME: `ip-127-0-0-1.${definition.name}`,
    AWS_REGION: REHEARSAL_REGION,
    AWS_DEFAULT_REGION: REHEARSAL_REGION,
    AWS_EXECUTION_ENV: 'AWS_ECS_FARGATE',
    ECS_AGENT_URI: endpoints.agentUri,
    ECS_CONTAINER_METADATA_URI_V4: endpoints.metadataUri,
    ...(credentials === undefined
      ? {}
      : {
          AWS_CONTAINER_CREDENTIALS_FULL_URI: credentials.uri,
          AWS_CONTAINER_AUTHORIZATION_TOKEN: credentials.token,
        }),
    AWS_ENDPOINT_URL: request.endpointUrl,
    // The AWS settings of this machine must not reach the container.
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    [Env.CLOCK]: JSON.stringify(request.clock.settings()),
  };
}

/** Recently assigned ports: the system may return a free port twice before its owner listens. */
const recentPorts = new Set<number>();
const MAX_RECENT_PORTS = 500;

/** A free port on 127.0.0.1. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = await new Promise<number>((resolve, reject) => {
      const server = createServer();
      server.once('error', reject);
      server.listen(0, '127.0.0.1', () => {
        const address = server.address();
        server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
      });
    });
    if (!recentPorts.has(port)) {
      recentPorts.add(port);
      const [oldest] = recentPorts;
      if (recentPorts.size > MAX_RECENT_PORTS && oldest !== undefined) {
        recentPorts.delete(oldest);
      }
      return port;
    }
  }
}

export function newToken(): string {
  return randomUUID();
}
