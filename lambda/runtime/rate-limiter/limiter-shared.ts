import type { Mode, ModelSettings, RateLimits } from '../../../lib/contract';
import type { Clock } from '../../shared/clock';
import { type RateEstimate, type RateLease, type RateLimiter, UNCOUNTED } from './limiter';
import { SharedMeter } from './limiter-meter';
import { type LimitStore, METERS, type Meter } from './limiter-store';

export interface SharedRateLimiterParts {
  readonly limits: RateLimits;
  readonly store: Pick<LimitStore, 'take'>;
  readonly clock: Clock;
  /** Told when the store cannot be asked. */
  readonly onProblem: (message: string, error: unknown) => void;
}

const PROPERTY = { requests: 'requestsPerMinute', tokens: 'tokensPerMinute' } as const;

/** Limits of the providers, shared with all other workers of the agent through the control table; see limiter-rules.ts. */
export class SharedRateLimiter implements RateLimiter {
  readonly #parts: SharedRateLimiterParts;
  readonly #meters = new Map<string, SharedMeter>();

  constructor(parts: SharedRateLimiterParts) {
    this.#parts = parts;
  }

  async acquire(
    provider: ModelSettings['provider'],
    estimate: RateEstimate,
    mode: Mode,
    signal: AbortSignal,
  ): Promise<RateLease> {
    signal.throwIfAborted();
    const taken: { readonly meter: SharedMeter; readonly units: number }[] = [];
    let tokens: SharedMeter | undefined;
    try {
      for (const kind of METERS) {
        const meter = this.#meter(provider, kind, mode);
        if (meter !== undefined) {
          await meter.take(estimate[kind], signal);
          taken.push({ meter, units: estimate[kind] });
          tokens = kind === 'tokens' ? meter : undefined;
        }
      }
    } catch (error) {
      for (const { meter, units } of taken) {
        meter.give(units);
      }
      throw error;
    }
    return tokens === undefined ? UNCOUNTED : new TokenLease(tokens, estimate.tokens);
  }

  #meter(provider: ModelSettings['provider'], meter: Meter, mode: Mode): SharedMeter | undefined {
    const { limits, store, clock, onProblem } = this.#parts;
    const perMinute = limits[provider]?.[PROPERTY[meter]];
    if (perMinute === undefined) {
      return undefined;
    }
    const name = `${provider} ${meter} ${mode}`;
    const known = this.#meters.get(name);
    if (known !== undefined) {
      return known;
    }
    const made = new SharedMeter({ store, provider, meter, perMinute, mode, clock, onProblem });
    this.#meters.set(name, made);
    return made;
  }
}

class TokenLease implements RateLease {
  #open = true;

  constructor(
    private readonly meter: SharedMeter,
    private readonly estimated: number,
  ) {}

  settle(actualTokens: number): void {
    if (this.#open) {
      this.#open = false;
      this.meter.give(this.estimated - actualTokens);
    }
  }
}
