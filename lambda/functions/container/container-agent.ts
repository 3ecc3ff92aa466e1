import { type AgentSource, requireAgent } from '../../runtime/agent';
import {
  type CreatedTaskProcessor,
  type CreateTaskProcessorOptions,
  createTaskProcessor,
} from '../../worker/create-task-processor';
import type { AgentState } from './agent-health-monitor';
import type { LocalRoutes } from './local-server';

export interface StartedAgent {
  /** Creates the processor that runs its tasks. */
  readonly createProcessor: (options: CreateTaskProcessorOptions) => CreatedTaskProcessor;
  /** Why the agent can run nothing but the preflight's probe. Absent: it can run tasks. */
  readonly problem?: string;
}

/** The agent of a container: a module in the worker's process, or a second container. */
export interface ContainerAgent {
  /** Routes of the worker's local server for the agent. */
  readonly routes?: LocalRoutes;
  /** Health of the agent. Undefined: it shares the worker's process. */
  readonly state?: AgentState;
  /** Waits until the agent can run tasks or has failed to start. @throws the signal's reason */
  start(signal: AbortSignal): Promise<StartedAgent>;
  /** Monitors the agent until the signal aborts or it was unhealthy for too long. @returns true for the latter */
  watch?(signal: AbortSignal, onChange: (state: AgentState) => void): Promise<boolean>;
  /** Announces that its tasks are requeued after this many milliseconds of the cloud's time. */
  checkpoint?(milliseconds: number): Promise<void>;
}

/** @throws TypeError for a value that is not an agent */
export function agentInProcess<I, O, S>(source: AgentSource<I, O, S>): ContainerAgent {
  return {
    start: async () => {
      const definition = typeof source === 'function' ? await source() : source;
      requireAgent(definition);
      return { createProcessor: (options) => createTaskProcessor(definition, options) };
    },
  };
}
