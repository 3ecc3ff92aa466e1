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
  /** Called when the store is unavailable. */
  readonly onStoreUnavailable: (message: string, error: unknown) => void;
}

/** Units that are reserved in the store and not used yet. */
interface LeasedUnits {
  units: number;
  readonly until: number;
}

/**
 * One limit in one worker process, for one mode. Units are taken from memory; when they run out, one write to the store
 * reserves as many as were recently used in {@link CHUNK_MS}, so the rate of writes does not depend on the load. Concurrent
 * calls share one write.
 */
export class RateLimitBucket {
  readonly #deps: RateLimitBucketDeps;
  #leases: LeasedUnits[] = [];
  /** Units that were used beyond what was reserved: covered by the next lease. */
  #debt = 0;
  /** Units that callers wait for. */
  #waitingUnits = 0;
  #pendingRefill: Promise<void> | undefined;
  /** Time before which the store grants nothing. */
  #deniedUntil = Number.NEGATIVE_INFINITY;
  /** Time of the last lease, and units used since. */
  #lastLease = { at: Number.NEGATIVE_INFINITY, used: 0 };
  /** Average use until then, in units per millisecond. */
  #averageUse = 0;
  #storeRetryAt = Number.NEGATIVE_INFINITY;
  /** While the store is unavailable: when the next units are available. */
  #nextUnitsAt = Number.NEGATIVE_INFINITY;

  constructor(deps: RateLimitBucketDeps) {
    this.#deps = deps;
  }

  /**
   * Takes units, after a short wait if necessary.
   *
   * @throws ThrottledError `rate_limited` if the wait would be longer
   */
  async acquire(units: number, signal: AbortSignal): Promise<void> {
    const { clock, mode } = this.#deps;
    const waitUntil = clock.now() + (mode === 'probe' ? MAX_PROBE_WAIT_MS : 0);
    this.#waitingUnits += units;
    try {
      while (!this.#tryTake(units)) {
        const now = clock.now();
        if (now >= this.#deniedUntil) {
          await raceAbort(() => this.#refill(units), signal);
        } else if (this.#deniedUntil <= waitUntil) {
          await clock.sleep(this.#deniedUntil - now, signal);
        } else {
          throw this.#rateLimitedError(this.#deniedUntil - now);
        }
      }
    } finally {
      this.#waitingUnits -= units;
    }
  }

  /** Returns units that were taken and not used. Negative: units that were used beyond those taken. */
  release(units: number): void {
    this.#lastLease.used = Math.max(0, this.#lastLease.used - units);
    const left = units - this.#debt;
    this.#debt = Math.max(0, -left);
    if (left > 0) {
      this.#leases.push({ units: left, until: this.#deps.clock.now() + UNIT_LEASE_MS });
    }
  }

  #tryTake(units: number): boolean {
    const now = this.#deps.clock.now();
    this.#leases = this.#leases.filter(({ until }) => until > now);
    let open = units + this.#debt;
    if (this.#leases.reduce((sum, held) => sum + held.units, 0) < open) {
      return false;
    }
    this.#debt = 0;
    this.#lastLease.used += open;
    for (const held of this.#leases) {
      const part = Math.min(held.units, open);
      held.units -= part;
      open -= part;
    }
    return true;
  }

  #refill(units: number): Promise<void> {
    this.#pendingRefill ??= this.#reserve(units + this.#debt).finally(() => {
      this.#pendingRefill = undefined;
    });
    return this.#pendingRefill;
  }

  /** @param minUnits units of the call that waits */
  async #reserve(minUnits: number): Promise<void> {
    const { clock, unit: meter, provider, onStoreUnavailable: onProblem } = this.#deps;
    const now = clock.now();
    if (now < this.#storeRetryAt) {
      return this.#continueWithoutStore(minUnits, now);
    }
    try {
      await this.#requestLease(this.#unitsToReserve(minUnits, now), now);
    } catch (error) {
      onProblem(
        `the shared limit of ${provider}, ${meter}, could not be read: continuing at the last granted rate`,
        error,
      );
      this.#storeRetryAt = clock.now() + STORE_RETRY_MS;
    }
  }

  async #requestLease(units: number, now: number): Promise<void> {
    const { unit: meter, mode, perMinute, provider, store } = this.#deps;
    const costMs = storeMsOf(units, perMinute);
    const allowance = allowanceOf(mode);
    const { granted, until } = await store.acquire(provider, meter, costMs, allowance, now);
    if (!granted) {
      // The limit is reserved far ahead: an earlier request would be denied again.
      this.#deniedUntil = Math.max(now + MIN_DENIED_MS, until - allowance.burstMs - allowance.waitMs);
      return;
    }
    this.#averageUse = this.#averageUseAt(now);
    this.#lastLease = { at: now, used: 0 };
    await this.#addLease(units, Math.max(now, until - costMs - allowance.burstMs));
  }

  /** Adds units that are available from the given time, and waits for it. */
  async #addLease(units: number, from: number): Promise<void> {
    const { clock } = this.#deps;
    const wait = from - clock.now();
    if (wait > 0) {
      await clock.sleep(wait);
    }
    this.#leases.push({ units, until: from + UNIT_LEASE_MS });
  }

  /** Units to reserve: what callers wait for, or what was recently used in CHUNK_MS. */
  #unitsToReserve(minUnits: number, now: number): number {
    const { mode, perMinute } = this.#deps;
    const wanted = Math.max(this.#averageUseAt(now) * CHUNK_MS, this.#waitingUnits + this.#debt);
    return Math.max(minUnits, Math.min(Math.ceil(wanted), largestChunk(mode, perMinute)));
  }

  /** Moving average of the use: the time since the last lease weighs more the longer it is. */
  #averageUseAt(now: number): number {
    const { at, used } = this.#lastLease;
    const elapsed = Math.max(1, now - at);
    const weight = Math.min(1, elapsed / (2 * CHUNK_MS));
    return Number.isFinite(elapsed) ? this.#averageUse * (1 - weight) + (used / elapsed) * weight : 0;
  }

  /**
   * While the store is unavailable, each process continues for a time at its last granted rate: together they stay within the
   * limit. A process without a recent grant does not know what is left, so its tasks wait.
   */
  async #continueWithoutStore(units: number, now: number): Promise<void> {
    const { mode } = this.#deps;
    const { at } = this.#lastLease;
    const dueAt = Math.max(now, this.#nextUnitsAt);
    const isServed = now - at <= MAX_WITHOUT_STORE_MS && this.#averageUse > 0;
    if (!isServed || dueAt - now > allowanceOf(mode).waitMs) {
      this.#deniedUntil = isServed ? dueAt : this.#storeRetryAt;
      return;
    }
    this.#nextUnitsAt = dueAt + units / this.#averageUse;
    await this.#addLease(units, dueAt);
  }

  #rateLimitedError(retryAfterMs: number): ThrottledError {
    const { unit: meter, perMinute, provider } = this.#deps;
    return new ThrottledError(
      `the limit of ${provider}, ${perMinute} ${meter} a minute for all tasks together, is used up`,
      { code: RuntimeErrorCode.RATE_LIMITED, retryAfterMs },
    );
  }
}
