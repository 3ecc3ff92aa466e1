import { AgentProtocolErrorCode } from '../../../lib/contract';
import { type AgentDefinition, defineAgent } from '../../runtime/agent';
import { FatalError } from '../../runtime/errors';
import type { Clock } from '../../shared/clock';
import type { Log } from '../../shared/telemetry/logger';
import { createTaskProcessor } from '../../worker/create-task-processor';
import { AgentBridge } from './agent-bridge';
import { AgentClient } from './agent-client';
import { AgentHealthMonitor, type AgentState } from './agent-health-monitor';
import { AttemptSessions } from './attempt-session';
import type { ContainerAgent, StartedAgent } from './container-agent';
import type { LocalRoutes } from './local-server';
import { taskRoutes } from './task-routes';

export interface AgentContainerOptions {
  readonly agentPort: number;
  readonly workerPort: number;
  readonly clock: Clock;
  readonly logger: Log;
  readonly environment?: NodeJS.ProcessEnv;
}

/** An agent in a container of its own, beside that of the worker. */
export class AgentContainer implements ContainerAgent {
  readonly routes: LocalRoutes;
  readonly #bridge: AgentBridge;
  readonly #watch: AgentHealthMonitor;

  constructor({ agentPort, workerPort, clock, logger, environment }: AgentContainerOptions) {
    const sessions = new AttemptSessions();
    const client = new AgentClient(agentPort);
    this.routes = taskRoutes(sessions);
    this.#watch = new AgentHealthMonitor({
      client,
      clock,
      logger,
      running: () => sessions.all().length,
      environment,
    });
    this.#bridge = new AgentBridge({
      client,
      sessions,
      workerPort,
      clock,
      onUnreachable: (message) => this.#watch.reportUnreachable(message),
    });
  }

  get state(): AgentState {
    return this.#watch.state;
  }

  async start(signal: AbortSignal): Promise<StartedAgent> {
    const description = await this.#watch.waitUntilHealthy(signal);
    if (description !== undefined) {
      const definition = this.#bridge.definition(description);
      return { createProcessor: (surroundings) => createTaskProcessor(definition, surroundings) };
    }
    const { state } = this.#watch;
    const problem = `the agent's container did not become healthy in time: ${state.healthy ? '' : state.message}`;
    return { createProcessor: (surroundings) => createTaskProcessor(unfit(problem), surroundings), problem };
  }

  watch(signal: AbortSignal, onChange: (state: AgentState) => void): Promise<boolean> {
    return this.#watch.watch(signal, onChange);
  }

  checkpoint(milliseconds: number): Promise<void> {
    return this.#bridge.checkpoint(milliseconds);
  }
}

/** Stands in for an agent that does not answer: so the preflight's probe hears why. */
function unfit(problem: string): AgentDefinition {
  return defineAgent({
    input: { '~standard': { validate: (value: unknown) => ({ value }) } },
    probe: { input: null },
    run: (): unknown => {
      throw new FatalError(problem, { code: AgentProtocolErrorCode.AGENT_UNHEALTHY });
    },
  });
}
