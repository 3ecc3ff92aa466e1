/**
 * What the exit code of a container says: ECS shows it with the stopped task. Those beyond 1 are from sysexits.h, away
 * from what shells and runtimes use themselves (137 is a kill: out of memory, or not gone by the end of the stop timeout).
 */
export const ContainerExit = {
  /** Told to stop, and no task was left running. Health checks: healthy. */
  STOPPED: 0,
  /** An uncaught error. Health checks: not healthy. */
  CRASHED: 1,
  /** The agent's container was not healthy for too long: the task is to be replaced. */
  AGENT_UNHEALTHY: 69,
  /** Told to stop, and a task was still running when time was up: its lease runs out, and another worker continues. */
  NOT_DRAINED: 75,
  /** A setting is missing or wrong; the log names it. Starting again would end the same way. */
  WRONG_SETTINGS: 78,
} as const;
export type ContainerExitCode = (typeof ContainerExit)[keyof typeof ContainerExit];
