import type { RateLimitStore } from '../../../../../lambda/runtime/rate-limiter/rate-limit-store';

/** The times up to which limits are spoken for, in memory. */
export class MemoryLimits implements Pick<RateLimitStore, 'acquire'> {
  readonly until = new Map<string, number>();
  calls = 0;
  failure: Error | undefined;

  acquire: RateLimitStore['acquire'] = async (provider, meter, costMs, { burstMs, waitMs }, now) => {
    this.calls += 1;
    if (this.failure !== undefined) {
      throw this.failure;
    }
    const name = `${provider} ${meter}`;
    const before = this.until.get(name) ?? Number.NEGATIVE_INFINITY;
    if (before > now + burstMs + waitMs) {
      return { granted: false, until: before };
    }
    const until = Math.max(before, now) + costMs;
    this.until.set(name, until);
    return { granted: true, until };
  };
}
