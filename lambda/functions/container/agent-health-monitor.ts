import type { AgentHealth } from '../../../lib/contract/agent-protocol';
import { type Clock, scaleTimeout } from '../../shared/clock';
import type { Log } from '../../shared/telemetry/logger';
import type { AgentClient, HealthCheckResult } from './agent-client';

/** Interval of the health checks of a healthy and of an unhealthy agent: milliseconds of the cloud's time, with a minimum in real ones. */
const CHECK_INTERVAL_MS = { limit: 10_000, leastReal: 1_000 } as const;
const UNHEALTHY_CHECK_INTERVAL_MS = { limit: 1_000, leastReal: 250 } as const;

/** How long an agent may take to start, and later may be unhealthy: milliseconds of the cloud's time, with a minimum in real ones. */
const MAX_START_MS = { limit: 120_000, leastReal: 15_000 } as const;
const MAX_UNHEALTHY_MS = { limit: 60_000, leastReal: 5_000 } as const;

export interface AgentHealthMonitorDeps {
  readonly client: Pick<AgentClient, 'health'>;
  readonly clock: Clock;
  readonly logger: Log;
  /** Number of tasks that the agent runs. */
  readonly running: () => number;
  readonly environment?: NodeJS.ProcessEnv;
}

/** Health of the agent's container at the last check. */
export type AgentState = { readonly healthy: true } | { readonly healthy: false; readonly message: string };

/**
 * Monitors the health of the agent's container. A container that runs a task and answers health checks too slowly counts as
 * busy, because many servers process one request at a time: it gets no new tasks, but is not replaced.
 */
export class AgentHealthMonitor {
  readonly #deps: AgentHealthMonitorDeps;
  /** Ends the pause between two checks when the next one must run at once. */
  #pauseController = new AbortController();
  #onChange: ((state: AgentState) => void) | undefined;
  #state: AgentState = { healthy: false, message: 'the agent was not checked yet' };

  constructor(deps: AgentHealthMonitorDeps) {
    this.#deps = deps;
  }

  get state(): AgentState {
    return this.#state;
  }

  /** Waits until the agent is healthy. @returns its description; undefined if it took too long */
  async waitUntilHealthy(signal: AbortSignal): Promise<AgentHealth | undefined> {
    const { clock, environment } = this.#deps;
    const until = clock.now() + scaleTimeout(MAX_START_MS.limit, MAX_START_MS.leastReal, environment);
    for (;;) {
      const report = await this.#check(signal);
      signal.throwIfAborted();
      if (report.healthy) {
        return report.description;
      }
      if (clock.now() >= until) {
        return undefined;
      }
      await clock.sleep(this.#pause(UNHEALTHY_CHECK_INTERVAL_MS), signal);
    }
  }

  /**
   * A call to the agent broke. The agent counts as unhealthy until the next check, which runs at once: otherwise tasks would use
   * up their attempts on it.
   */
  reportUnreachable(message: string): void {
    if (this.#state.healthy) {
      this.#change({ healthy: false, message });
    }
    this.#pauseController.abort();
  }

  /** Checks until the signal aborts or the agent was unhealthy for too long. @returns true for the latter */
  async watch(signal: AbortSignal, onChange: (state: AgentState) => void): Promise<boolean> {
    const wake = () => this.#pauseController.abort();
    signal.addEventListener('abort', wake, { once: true });
    this.#onChange = onChange;
    try {
      return await this.#watch(signal);
    } finally {
      signal.removeEventListener('abort', wake);
      this.#onChange = undefined;
    }
  }

  async #watch(signal: AbortSignal): Promise<boolean> {
    const { clock, running, environment } = this.#deps;
    const maxUnhealthyMs = scaleTimeout(MAX_UNHEALTHY_MS.limit, MAX_UNHEALTHY_MS.leastReal, environment);
    let unhealthySince: number | undefined;
    while (!signal.aborted) {
      const pause = this.#pause(this.#state.healthy ? CHECK_INTERVAL_MS : UNHEALTHY_CHECK_INTERVAL_MS);
      await clock.sleep(pause, this.#pauseController.signal).catch(() => undefined);
      this.#pauseController = new AbortController();
      const report = await this.#check(signal);
      if (signal.aborted) {
        return false;
      }
      const unhealthy = !report.healthy && !(report.slow && running() > 0);
      unhealthySince = unhealthy ? (unhealthySince ?? clock.now()) : undefined;
      if (unhealthySince !== undefined && clock.now() - unhealthySince >= maxUnhealthyMs) {
        return true;
      }
    }
    return false;
  }

  #pause({ limit, leastReal }: typeof CHECK_INTERVAL_MS | typeof UNHEALTHY_CHECK_INTERVAL_MS): number {
    return scaleTimeout(limit, leastReal, this.#deps.environment);
  }

  async #check(signal: AbortSignal): Promise<HealthCheckResult> {
    const report = await this.#deps.client.health(signal);
    if (!signal.aborted) {
      this.#change(report.healthy ? { healthy: true } : { healthy: false, message: report.message });
    }
    return report;
  }

  #change(state: AgentState): void {
    const before = this.#state.healthy;
    this.#state = state;
    if (state.healthy === before || this.#onChange === undefined) {
      return;
    }
    this.#deps.logger[state.healthy ? 'info' : 'warn'](state.healthy ? 'agent healthy' : 'agent unhealthy', {
      component: 'agent',
      outcome: state.healthy ? 'healthy' : 'unhealthy',
      ...(state.healthy ? {} : { reason: state.message }),
    });
    this.#onChange(state);
  }
}
