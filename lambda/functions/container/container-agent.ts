import { type AgentSource, requireAgent } from '../../runtime/agent';
import {
  type CreatedTaskProcessor,
  type CreateTaskProcessorOptions,
  createTaskProcessor,
} from '../../worker/create-task-processor';
import type { AgentState } from './agent-health-monitor';
import type { LocalRoutes } from './local-server';

export interface StartedAgent {
  /** Makes the worker that runs its tasks. */
  readonly createProcessor: (surroundings: CreateTaskProcessorOptions) => CreatedTaskProcessor;
  /** Why it can take no tasks, but for the preflight's probe. Absent: it can. */
  readonly problem?: string;
}

/** The agent of a container: a module in the worker's process, or a neighbor. */
export interface ContainerAgent {
  /** What the worker answers to it. */
  readonly routes?: LocalRoutes;
  /** How it is. Undefined: it lives and dies with the process. */
  readonly state?: AgentState;
  /** Waits until it can take tasks, or will not. @throws the signal's reason */
  start(signal: AbortSignal): Promise<StartedAgent>;
  /** Watches it until the signal aborts, or it was unwell for too long. @returns true for the latter */
  watch?(signal: AbortSignal, onChange: (state: AgentState) => void): Promise<boolean>;
  /** Tells it that its tasks will be handed back after so many milliseconds of the cloud's time. */
  checkpoint?(milliseconds: number): Promise<void>;
}

/** @throws TypeError for what is no agent */
export function agentInProcess<I, O, S>(source: AgentSource<I, O, S>): ContainerAgent {
  return {
    start: async () => {
      const definition = typeof source === 'function' ? await source() : source;
      requireAgent(definition);
      return { createProcessor: (surroundings) => createTaskProcessor(definition, surroundings) };
    },
  };
}
