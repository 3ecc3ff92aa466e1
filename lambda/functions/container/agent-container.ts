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

/** An agent in a container of its own, in the same ECS task as the worker's. */
export class AgentContainer implements ContainerAgent {
  readonly routes: LocalRoutes;
  readonly #bridge: AgentBridge;
  readonly #monitor: AgentHealthMonitor;

  constructor({ agentPort, workerPort, clock, logger, environment }: AgentContainerOptions) {
    const sessions = new AttemptSessions();
    const client = new AgentClient(agentPort);
    this.routes = taskRoutes(sessions);
    this.#monitor = new AgentHealthMonitor({
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
      onUnreachable: (message) => this.#monitor.reportUnreachable(message),
    });
  }

  get state(): AgentState {
    return this.#monitor.state;
  }

  async start(signal: AbortSignal): Promise<StartedAgent> {
    const description = await this.#monitor.waitUntilHealthy(signal);
    if (description !== undefined) {
      const definition = this.#bridge.definition(description);
      return { createProcessor: (options) => createTaskProcessor(definition, options) };
    }
    const { state } = this.#monitor;
    const problem = `the agent's container did not become healthy in time: ${state.healthy ? '' : state.message}`;
    return { createProcessor: (options) => createTaskProcessor(failingAgent(problem), options), problem };
  }

  watch(signal: AbortSignal, onChange: (state: AgentState) => void): Promise<boolean> {
    return this.#monitor.watch(signal, onChange);
  }

  checkpoint(milliseconds: number): Promise<void> {
    return this.#bridge.checkpoint(milliseconds);
  }
}

/** An agent that fails every task with the problem, so that the preflight's probe reports it. */
function failingAgent(problem: string): AgentDefinition {
  return defineAgent({
    input: { '~standard': { validate: (value: unknown) => ({ value }) } },
    probe: { input: null },
    run: (): unknown => {
      throw new FatalError(problem, { code: AgentProtocolErrorCode.AGENT_UNHEALTHY });
    },
  });
}
