import type { AgentHealth } from '../../../lib/contract/agent-protocol';
import { type Clock, scaleTimeout } from '../../shared/clock';
import type { Log } from '../../shared/telemetry/logger';
import type { AgentClient, HealthCheckResult } from './agent-client';

/** Between two looks at an agent that is well, and at one that is not: milliseconds of the cloud's time, and real ones at least. */
const EVERY_MS = { limit: 10_000, leastReal: 1_000 } as const;
const UNWELL_EVERY_MS = { limit: 1_000, leastReal: 250 } as const;

/** For so long an agent may take to start, and later be unwell, in milliseconds of the cloud's time; in real ones at least. */
const START_MS = { limit: 120_000, leastReal: 15_000 } as const;
const UNWELL_MS = { limit: 60_000, leastReal: 5_000 } as const;

export interface AgentHealthMonitorDeps {
  readonly client: Pick<AgentClient, 'health'>;
  readonly clock: Clock;
  readonly logger: Log;
  /** Tasks that the agent works on. */
  readonly running: () => number;
  readonly environment?: NodeJS.ProcessEnv;
}

/** How the agent's container is, as it was last seen. */
export type AgentState = { readonly healthy: true } | { readonly healthy: false; readonly message: string };

/**
 * Looks after the health of the agent's container. One that works on a task and is slow to say how it is, is busy: many a
 * server does one thing at a time. It gets no further task meanwhile, and nothing else follows from it.
 */
export class AgentHealthMonitor {
  readonly #deps: AgentHealthMonitorDeps;
  /** Between two looks: aborted when there is reason to look at once. */
  #nap = new AbortController();
  #onChange: ((state: AgentState) => void) | undefined;
  #state: AgentState = { healthy: false, message: 'the agent was not asked yet' };

  constructor(deps: AgentHealthMonitorDeps) {
    this.#deps = deps;
  }

  get state(): AgentState {
    return this.#state;
  }

  /** Waits until the agent is well. @returns what it says of itself; undefined when it took too long */
  async waitUntilHealthy(signal: AbortSignal): Promise<AgentHealth | undefined> {
    const { clock, environment } = this.#deps;
    const until = clock.now() + scaleTimeout(START_MS.limit, START_MS.leastReal, environment);
    for (;;) {
      const report = await this.#look(signal);
      signal.throwIfAborted();
      if (report.healthy) {
        return report.description;
      }
      if (clock.now() >= until) {
        return undefined;
      }
      await clock.sleep(this.#pause(UNWELL_EVERY_MS), signal);
    }
  }

  /**
   * A call to the agent broke off. It counts as unwell until it was looked at, which is done at once: tasks that it cannot
   * do would spend their attempts on it.
   */
  reportUnreachable(message: string): void {
    if (this.#state.healthy) {
      this.#change({ healthy: false, message });
    }
    this.#nap.abort();
  }

  /** Watches until the signal aborts, or the agent has been unwell for too long. @returns true for the latter */
  async watch(signal: AbortSignal, onChange: (state: AgentState) => void): Promise<boolean> {
    const wake = () => this.#nap.abort();
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
    const scaledTimeout = scaleTimeout(UNWELL_MS.limit, UNWELL_MS.leastReal, environment);
    let unwellSince: number | undefined;
    while (!signal.aborted) {
      const pause = this.#pause(this.#state.healthy ? EVERY_MS : UNWELL_EVERY_MS);
      await clock.sleep(pause, this.#nap.signal).catch(() => undefined);
      this.#nap = new AbortController();
      const report = await this.#look(signal);
      if (signal.aborted) {
        return false;
      }
      const unwell = !report.healthy && !(report.slow && running() > 0);
      unwellSince = unwell ? (unwellSince ?? clock.now()) : undefined;
      if (unwellSince !== undefined && clock.now() - unwellSince >= scaledTimeout) {
        return true;
      }
    }
    return false;
  }

  #pause({ limit, leastReal }: typeof EVERY_MS | typeof UNWELL_EVERY_MS): number {
    return scaleTimeout(limit, leastReal, this.#deps.environment);
  }

  async #look(signal: AbortSignal): Promise<HealthCheckResult> {
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
    this.#deps.logger[state.healthy ? 'info' : 'warn'](state.healthy ? 'the agent is well' : 'the agent is not well', {
      component: 'agent',
      outcome: state.healthy ? 'healthy' : 'unhealthy',
      ...(state.healthy ? {} : { reason: state.message }),
    });
    this.#onChange(state);
  }
}
