import type { ModelPolicySettings } from '../../../lib/contract';
import type { Clock } from '../../shared/clock';

/** Permission for one call. The caller reports its outcome once. */
export interface CallPermit {
  /** The other side answered, be it with a refusal. @returns whether the breaker closed by it */
  succeeded(): boolean;
  /** @returns whether the breaker opened by it */
  failed(): boolean;
  /** The call was given up for reasons of the caller: nothing is known. */
  released(): void;
}

/**
 * Keeps calls from a model that fails: closed → open after so many failures in a row → half open after a while, when
 * one call at a time tries it → closed, or open again. Of calls that were under way when the breaker opened nothing is
 * learnt any more.
 */
export class CircuitBreaker {
  readonly #policy: Pick<ModelPolicySettings, 'breakerFailures' | 'breakerOpenMs'>;
  readonly #clock: Clock;
  #failures = 0;
  /** Absent: closed. */
  #openUntil: number | undefined;
  #trying = false;
  /** Grows with each change between closed and open: tells calls that began before it. */
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

  /** Milliseconds until a call may pass; 0 when one may now, or will as soon as the one that tries has ended. */
  get waitMs(): number {
    return this.#openUntil === undefined ? 0 : Math.max(0, this.#openUntil - this.#clock.now());
  }

  /** Undefined: the call is not to be made. */
  tryAcquire(): CallPermit | undefined {
    const { state } = this;
    if (state === 'open' || (state === 'half_open' && this.#trying)) {
      return undefined;
    }
    this.#trying = state === 'half_open';
    return this.#passage();
  }

  #passage(): CallPermit {
    const generation = this.#generation;
    let told = false;
    const tell = <T>(what: () => T, late: T): T => {
      if (told || generation !== this.#generation) {
        return late;
      }
      told = true;
      this.#trying = false;
      return what();
    };
    return {
      succeeded: () => tell(() => this.#close(), false),
      failed: () => tell(() => this.#fail(), false),
      released: () => tell(() => undefined, undefined),
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

  #fail(): boolean {
    this.#failures += 1;
    // In the half-open state one failure is enough: the count stands where it opened the breaker.
    if (this.#failures < this.#policy.breakerFailures) {
      return false;
    }
    this.#openUntil = this.#clock.now() + this.#policy.breakerOpenMs;
    this.#generation += 1;
    return true;
  }
}
