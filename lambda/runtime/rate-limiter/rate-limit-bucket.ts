import { type Mode, type ModelSettings, RuntimeErrorCode } from '../../../lib/contract';
import { raceAbort } from '../../shared/abort-signals';
import type { Clock } from '../../shared/clock';
import { ThrottledError } from '../errors';
import {
  allowanceOf,
  CHUNK_MS,
  largestChunk,
  MAX_PROBE_WAIT_MS,
  MAX_WITHOUT_STORE_MS,
  MIN_DENIED_MS,
  STORE_RETRY_MS,
  storeMsOf,
  UNIT_LEASE_MS,
} from './rate-limit-rules';
import type { RateLimitStore, RateLimitUnit } from './rate-limit-store';

export interface RateLimitBucketDeps {
  readonly store: Pick<RateLimitStore, 'acquire'>;
  readonly provider: ModelSettings['provider'];
  readonly unit: RateLimitUnit;
  readonly perMinute: number;
  readonly mode: Mode;
  readonly clock: Clock;
  /** Told when the store cannot be asked. */
  readonly onStoreUnavailable: (message: string, error: unknown) => void;
}

/** Units that are paid for in the store and not used yet. */
interface Held {
  units: number;
  readonly until: number;
}

/**
 * One limit as one worker process sees it, for one mode. Units are taken from memory; when they run out, one write to
 * the store brings as many as were used in {@link CHUNK_MS} lately, so that the store is asked at the same pace however
 * busy the process is. Calls at the same time share one such write.
 */
export class RateLimitBucket {
  readonly #deps: RateLimitBucketDeps;
  #held: Held[] = [];
  /** Used beyond what was taken: paid with the next units. */
  #debt = 0;
  /** Units that callers wait for. */
  #wanted = 0;
  #refilling: Promise<void> | undefined;
  /** Nothing is to be had before. */
  #deniedUntil = Number.NEGATIVE_INFINITY;
  /** When the last lease was asked for, and what was used since. */
  #last = { at: Number.NEGATIVE_INFINITY, used: 0 };
  /** Units per millisecond that were used until then. */
  #pace = 0;
  #storeAgainAt = Number.NEGATIVE_INFINITY;
  /** Without the store: when the next units are due. */
  #dueAt = Number.NEGATIVE_INFINITY;

  constructor(deps: RateLimitBucketDeps) {
    this.#deps = deps;
  }

  /**
   * Takes units, after a short wait if need be.
   *
   * @throws ThrottledError `rate_limited` if there are none for longer
   */
  async acquire(units: number, signal: AbortSignal): Promise<void> {
    const { clock, mode } = this.#deps;
    const patientUntil = clock.now() + (mode === 'probe' ? MAX_PROBE_WAIT_MS : 0);
    this.#wanted += units;
    try {
      while (!this.#spend(units)) {
        const now = clock.now();
        if (now >= this.#deniedUntil) {
          await raceAbort(() => this.#refill(units), signal);
        } else if (this.#deniedUntil <= patientUntil) {
          await clock.sleep(this.#deniedUntil - now, signal);
        } else {
          throw this.#denied(this.#deniedUntil - now);
        }
      }
    } finally {
      this.#wanted -= units;
    }
  }

  /** Gives back units that were taken and not used; fewer than none were used beyond them. */
  release(units: number): void {
    this.#last.used = Math.max(0, this.#last.used - units);
    const left = units - this.#debt;
    this.#debt = Math.max(0, -left);
    if (left > 0) {
      this.#held.push({ units: left, until: this.#deps.clock.now() + UNIT_LEASE_MS });
    }
  }

  #spend(units: number): boolean {
    const now = this.#deps.clock.now();
    this.#held = this.#held.filter(({ until }) => until > now);
    let open = units + this.#debt;
    if (this.#held.reduce((sum, held) => sum + held.units, 0) < open) {
      return false;
    }
    this.#debt = 0;
    this.#last.used += open;
    for (const held of this.#held) {
      const part = Math.min(held.units, open);
      held.units -= part;
      open -= part;
    }
    return true;
  }

  #refill(units: number): Promise<void> {
    this.#refilling ??= this.#ask(units + this.#debt).finally(() => {
      this.#refilling = undefined;
    });
    return this.#refilling;
  }

  /** @param least that has to come: the need of one call */
  async #ask(least: number): Promise<void> {
    const { clock, unit: meter, provider, onStoreUnavailable: onProblem } = this.#deps;
    const now = clock.now();
    if (now < this.#storeAgainAt) {
      return this.#goOnWithout(least, now);
    }
    try {
      await this.#lease(this.#chunk(least, now), now);
    } catch (error) {
      onProblem(
        `the shared limit of ${provider}, ${meter}, could not be read: continuing at the last granted rate`,
        error,
      );
      this.#storeAgainAt = clock.now() + STORE_RETRY_MS;
    }
  }

  async #lease(units: number, now: number): Promise<void> {
    const { unit: meter, mode, perMinute, provider, store } = this.#deps;
    const costMs = storeMsOf(units, perMinute);
    const allowance = allowanceOf(mode);
    const { granted, until } = await store.acquire(provider, meter, costMs, allowance, now);
    if (!granted) {
      // The line is long: it is still there when this process asks again, and all others need not ask at the same moment.
      this.#deniedUntil = Math.max(now + MIN_DENIED_MS, until - allowance.burstMs - allowance.waitMs);
      return;
    }
    this.#pace = this.#paceAt(now);
    this.#last = { at: now, used: 0 };
    await this.#hold(units, Math.max(now, until - costMs - allowance.burstMs));
  }

  /** Units are there from the moment on; waits for it. */
  async #hold(units: number, from: number): Promise<void> {
    const { clock } = this.#deps;
    const wait = from - clock.now();
    if (wait > 0) {
      await clock.sleep(wait);
    }
    this.#held.push({ units, until: from + UNIT_LEASE_MS });
  }

  /** How much to ask for: what is waited for, or what was used in some seconds lately. */
  #chunk(least: number, now: number): number {
    const { mode, perMinute } = this.#deps;
    const wanted = Math.max(this.#paceAt(now) * CHUNK_MS, this.#wanted + this.#debt);
    return Math.max(least, Math.min(Math.ceil(wanted), largestChunk(mode, perMinute)));
  }

  /** Average use: the longer the time since the last lease, the more it weighs against what was before. */
  #paceAt(now: number): number {
    const { at, used } = this.#last;
    const elapsed = Math.max(1, now - at);
    const weight = Math.min(1, elapsed / (2 * CHUNK_MS));
    return Number.isFinite(elapsed) ? this.#pace * (1 - weight) + (used / elapsed) * weight : 0;
  }

  /**
   * The store is away. For a while each process goes on at the pace at which it was served: together they stay within the
   * limit as they did before. A process that was not served lately does not know what is left, and its tasks wait.
   */
  async #goOnWithout(units: number, now: number): Promise<void> {
    const { mode } = this.#deps;
    const { at } = this.#last;
    const dueAt = Math.max(now, this.#dueAt);
    const isServed = now - at <= MAX_WITHOUT_STORE_MS && this.#pace > 0;
    if (!isServed || dueAt - now > allowanceOf(mode).waitMs) {
      this.#deniedUntil = isServed ? dueAt : this.#storeAgainAt;
      return;
    }
    this.#dueAt = dueAt + units / this.#pace;
    await this.#hold(units, dueAt);
  }

  #denied(retryAfterMs: number): ThrottledError {
    const { unit: meter, perMinute, provider } = this.#deps;
    return new ThrottledError(
      `what ${provider} allows, ${perMinute} ${meter} a minute for all tasks together, is used up for now`,
      { code: RuntimeErrorCode.RATE_LIMITED, retryAfterMs },
    );
  }
}
