import type { AliasSnapshot } from '../../../lib/contract';
import type { Clock } from '../clock';
import type { RoutingRepository, RoutingState } from './routing-repository';
import { nextValve, ROUTING_CACHE_MS, type ShiftingState } from './valve-update';

/** Milliseconds (cloud time) after which a router looks at the alias again: at least and at most. */
const LOOK_AFTER_MS = [15_000, 30_000] as const;

export interface RoutingViewDeps {
  readonly store: Pick<RoutingRepository, 'readRouting' | 'writeValve'>;
  /** Asks Lambda what the router's alias says. */
  readonly alias: () => Promise<AliasSnapshot>;
  readonly clock: Clock;
  /** Told of what went wrong; the view continues with what it knows. */
  readonly onProblem: (message: string, error: unknown) => void;
  /** 0 to 1, drawn once per environment. @default Math.random */
  readonly random?: () => number;
}

interface Reading {
  /** When the read was begun: what it gave is at least as new. */
  readonly at: number;
  readonly state: RoutingState;
}

/**
 * The routing items, as one environment of the router sees them.
 *
 * Life cycle: the items are read at most every 5 s. During a rollout, the first environment to find that no environment has
 * looked at the alias for 15 to 30 s (each has a limit of its own, so that they do not all look at once) asks Lambda and
 * writes what it saw, conditional on the item it had read; the second environment takes over what the first wrote.
 * So the fleet asks `GetAlias`, which shares 15 calls a second with the whole account, about twice a minute.
 *
 * What Lambda said counts only once it is written: an environment that went by its own look would be ahead of the others.
 * Any failure leaves the last reading in place; the read is tried again after 5 s.
 */
export class RoutingView {
  readonly #deps: RoutingViewDeps;
  readonly #lookAfter: number;
  #last: Reading | undefined;
  /** Not to try again before: set after a read that failed. */
  #retryAt = Number.NEGATIVE_INFINITY;
  #inProgress: Promise<RoutingState | undefined> | undefined;

  constructor(deps: RoutingViewDeps) {
    this.#deps = deps;
    const [least, most] = LOOK_AFTER_MS;
    this.#lookAfter = least + (deps.random ?? Math.random)() * (most - least);
  }

  /** The routing items; undefined if they could never be read. Does not reject. */
  async current(): Promise<RoutingState | undefined> {
    const now = this.#deps.clock.now();
    if (this.#last !== undefined && (now - this.#last.at <= ROUTING_CACHE_MS || now < this.#retryAt)) {
      return this.#last.state;
    }
    this.#inProgress ??= this.#read().finally(() => {
      this.#inProgress = undefined;
    });
    return await this.#inProgress;
  }

  async #read(): Promise<RoutingState | undefined> {
    const { clock, store, onProblem } = this.#deps;
    try {
      const at = clock.now();
      this.#last = { at, state: await store.readRouting() };
    } catch (error) {
      onProblem('routing items could not be read: going by the last ones', error);
      this.#retryAt = clock.now() + ROUTING_CACHE_MS;
      return this.#last?.state;
    }
    try {
      await this.#lookAtAlias(this.#last);
    } catch (error) {
      onProblem('alias could not be looked at: going by the last look', error);
    }
    return await this.#notTooOld(this.#last);
  }

  /** A read of the alias can take longer than the cached routing stays valid. */
  async #notTooOld({ at, state }: Reading): Promise<RoutingState> {
    const { clock, store, onProblem } = this.#deps;
    const now = clock.now();
    if (now - at <= ROUTING_CACHE_MS) {
      return state;
    }
    try {
      this.#last = { at: now, state: await store.readRouting() };
    } catch (error) {
      onProblem('routing items could not be read again: going by the last ones', error);
      return state;
    }
    return this.#last.state;
  }

  /** Brings the valve up to date if it is time to. */
  async #lookAtAlias({ at, state }: Reading): Promise<void> {
    const { alias, clock, store } = this.#deps;
    if (!isShifting(state) || !this.#isOverdue(state, clock.now())) {
      return;
    }
    const seen = await alias();
    // The time is taken after Lambda answered and right before the write: the opening delay has to cover the write alone.
    const valve = nextValve(state, seen, clock.now());
    if (await store.writeValve(valve, state.valve?.sequence)) {
      this.#last = { at, state: { ...state, valve } };
      return;
    }
    const again = clock.now();
    this.#last = { at: again, state: await store.readRouting() };
  }

  #isOverdue({ rollout, valve }: ShiftingState, now: number): boolean {
    return valve?.rolloutId !== rollout.id || now - valve.checkedAt > this.#lookAfter;
  }
}

function isShifting(state: RoutingState): state is RoutingState & ShiftingState {
  return state.promoted !== undefined && state.rollout?.status === 'in_progress';
}
