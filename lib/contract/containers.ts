/** Names, ports and times shared by task definitions, the worker in its container, and agents in their own containers. */

/** Containers of an ECS task of a worker. The worker starts after the agent, so ECS stops it first. */
export const ContainerName = {
  /** The worker. The only container when the agent is a module in the worker's process. */
  WORKER: 'worker',
  /** The agent's own image, in any language. */
  AGENT: 'agent',
} as const;

/** Environment variable with the port on which the agent's container must listen. */
export const AGENT_PORT_VARIABLE = 'PORT';

export const DEFAULT_AGENT_PORT = 8080;

/** Containers of an ECS task share its ports, so the agent must use another one. */
export const DEFAULT_WORKER_PORT = 9400;

/** Seconds between SIGTERM and SIGKILL of a container without its own stop timeout, on Fargate. */
export const DEFAULT_STOP_TIMEOUT_SECONDS = 30;

/** Longest stop timeout on Fargate. https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html */
export const MAX_STOP_TIMEOUT_SECONDS = 120;

/**
 * Minimum length of a stop timeout in real milliseconds, for `scaleTimeout` in lambda/shared/clock.ts. Without effect on
 * AWS, and in rehearsals at up to 40 times real time (for 120 seconds). The worker and the rehearsal must use the same value.
 */
export const MIN_REAL_STOP_MS = 3_000;
