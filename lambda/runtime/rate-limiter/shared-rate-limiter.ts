import type { Mode, ModelSettings, RateLimits } from '../../../lib/contract';
import type { Clock } from '../../shared/clock';
import { RateLimitBucket } from './rate-limit-bucket';
import { RATE_LIMIT_UNITS, type RateLimitStore, type RateLimitUnit } from './rate-limit-store';
import { type RateEstimate, type RateLease, type RateLimiter, UNCOUNTED } from './rate-limiter';

export interface SharedRateLimiterDeps {
  readonly limits: RateLimits;
  readonly store: Pick<RateLimitStore, 'acquire'>;
  readonly clock: Clock;
  /** Called when the store is unavailable. */
  readonly onStoreUnavailable: (message: string, error: unknown) => void;
}

const PROPERTY = { requests: 'requestsPerMinute', tokens: 'tokensPerMinute' } as const;

/** Enforces the providers' limits over all workers of the service, through the control table; see rate-limit-rules.ts. */
export class SharedRateLimiter implements RateLimiter {
  readonly #deps: SharedRateLimiterDeps;
  readonly #meters = new Map<string, RateLimitBucket>();

  constructor(deps: SharedRateLimiterDeps) {
    this.#deps = deps;
  }

  async acquire(
    provider: ModelSettings['provider'],
    estimate: RateEstimate,
    mode: Mode,
    signal: AbortSignal,
  ): Promise<RateLease> {
    signal.throwIfAborted();
    const taken: { readonly meter: RateLimitBucket; readonly units: number }[] = [];
    let tokens: RateLimitBucket | undefined;
    try {
      for (const kind of RATE_LIMIT_UNITS) {
        const meter = this.#meter(provider, kind, mode);
        if (meter !== undefined) {
          await meter.acquire(estimate[kind], signal);
          taken.push({ meter, units: estimate[kind] });
          tokens = kind === 'tokens' ? meter : undefined;
        }
      }
    } catch (error) {
      for (const { meter, units } of taken) {
        meter.release(units);
      }
      throw error;
    }
    return tokens === undefined ? UNCOUNTED : new TokenLease(tokens, estimate.tokens);
  }

  #meter(provider: ModelSettings['provider'], meter: RateLimitUnit, mode: Mode): RateLimitBucket | undefined {
    const { limits, store, clock, onStoreUnavailable: onProblem } = this.#deps;
    const perMinute = limits[provider]?.[PROPERTY[meter]];
    if (perMinute === undefined) {
      return undefined;
    }
    const name = `${provider} ${meter} ${mode}`;
    const known = this.#meters.get(name);
    if (known !== undefined) {
      return known;
    }
    const made = new RateLimitBucket({
      store,
      provider,
      unit: meter,
      perMinute,
      mode,
      clock,
      onStoreUnavailable: onProblem,
    });
    this.#meters.set(name, made);
    return made;
  }
}

class TokenLease implements RateLease {
  #open = true;

  readonly #meter: RateLimitBucket;
  readonly #estimated: number;

  constructor(meter: RateLimitBucket, estimated: number) {
    this.#meter = meter;
    this.#estimated = estimated;
  }

  settle(actualTokens: number): void {
    if (this.#open) {
      this.#open = false;
      this.#meter.release(this.#estimated - actualTokens);
    }
  }
}
