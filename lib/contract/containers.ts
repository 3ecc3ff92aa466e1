/** What task definitions, the worker in its container, and agents in containers of their own agree on. */

/** Containers of an ECS task of a worker. The worker starts after the agent, so ECS stops it first. */
export const ContainerName = {
  /** Polls, claims, journals, measures. Alone in its task when the agent is a module of its own process. */
  WORKER: 'worker',
  /** The agent's own image, in any language. */
  AGENT: 'agent',
} as const;

/** Environment variable that tells the agent's container at which port it has to answer. */
export const AGENT_PORT_VARIABLE = 'PORT';

export const DEFAULT_AGENT_PORT = 8080;

/** Ports of a task are its own; this one only must not be the agent's. */
export const DEFAULT_WORKER_PORT = 9400;

/** Seconds that ECS waits between SIGTERM and SIGKILL unless a container says otherwise, on Fargate. */
export const DEFAULT_STOP_TIMEOUT_SECONDS = 30;

/** Longest stop timeout on Fargate. https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html */
export const MAX_STOP_TIMEOUT_SECONDS = 120;

/**
 * Real milliseconds that a stop timeout lasts at least, for `scaleTimeout` in lambda/shared/clock.ts. Without effect on
 * AWS, and in rehearsals up to 40 times as fast (for 120 seconds). The worker and the rehearsal count with the same.
 */
export const MIN_REAL_STOP_MS = 3_000;
