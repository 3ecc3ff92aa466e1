import type { ModelPolicySettings } from '../../../lib/contract';
import type { Clock } from '../../shared/clock';

/** Permission for one call. The caller reports the result exactly once. */
export interface CallPermit {
  /** The model answered, even if it rejected the request. @returns whether the breaker closed */
  succeeded(): boolean;
  /** The model did not answer. @returns whether the breaker opened */
  failed(): boolean;
  /** The caller ended the call for another reason: it says nothing about the model. */
  released(): void;
}

/**
 * Circuit breaker of one model: closed → open after a number of consecutive failures → half open after a time, when one call
 * at a time is let through → closed, or open again. Results of calls that started before a state change are ignored.
 */
export class CircuitBreaker {
  readonly #policy: Pick<ModelPolicySettings, 'breakerFailures' | 'breakerOpenMs'>;
  readonly #clock: Clock;
  #failures = 0;
  /** Undefined: closed. */
  #openUntil: number | undefined;
  #trialInProgress = false;
  /** Incremented with each change between closed and open: identifies calls that started before it. */
  #generation = 0;

  /** @param clock of the cloud's time */
  constructor(policy: Pick<ModelPolicySettings, 'breakerFailures' | 'breakerOpenMs'>, clock: Clock) {
    this.#policy = policy;
    this.#clock = clock;
  }

  get state(): 'closed' | 'open' | 'half_open' {
    if (this.#openUntil === undefined) {
      return 'closed';
    }
    return this.#clock.now() < this.#openUntil ? 'open' : 'half_open';
  }

  /** Milliseconds until a call is let through; 0 if one is now, or as soon as the trial call has ended. */
  get waitMs(): number {
    return this.#openUntil === undefined ? 0 : Math.max(0, this.#openUntil - this.#clock.now());
  }

  /** Permission for one call. Undefined: do not make the call. */
  tryAcquire(): CallPermit | undefined {
    const { state } = this;
    if (state === 'open' || (state === 'half_open' && this.#trialInProgress)) {
      return undefined;
    }
    this.#trialInProgress = state === 'half_open';
    return this.#createPermit();
  }

  #createPermit(): CallPermit {
    const generation = this.#generation;
    let reported = false;
    const report = <T>(what: () => T, late: T): T => {
      if (reported || generation !== this.#generation) {
        return late;
      }
      reported = true;
      this.#trialInProgress = false;
      return what();
    };
    return {
      succeeded: () => report(() => this.#close(), false),
      failed: () => report(() => this.#recordFailure(), false),
      released: () => report(() => undefined, undefined),
    };
  }

  #close(): boolean {
    this.#failures = 0;
    if (this.#openUntil === undefined) {
      return false;
    }
    this.#openUntil = undefined;
    this.#generation += 1;
    return true;
  }

  #recordFailure(): boolean {
    this.#failures += 1;
    // In the half-open state one failure is enough: the count still has the value that opened the breaker.
    if (this.#failures < this.#policy.breakerFailures) {
      return false;
    }
    this.#openUntil = this.#clock.now() + this.#policy.breakerOpenMs;
    this.#generation += 1;
    return true;
  }
}
