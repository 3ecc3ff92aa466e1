import type { LimitStore } from '../../../../../lambda/runtime/rate-limiter/limiter-store';

/** The times up to which limits are spoken for, in memory. */
export class MemoryLimits implements Pick<LimitStore, 'take'> {
  readonly until = new Map<string, number>();
  calls = 0;
  failure: Error | undefined;

  take: LimitStore['take'] = async (provider, meter, costMs, { aheadMs, waitMs }, now) => {
    this.calls += 1;
    if (this.failure !== undefined) {
      throw this.failure;
    }
    const name = `${provider} ${meter}`;
    const before = this.until.get(name) ?? Number.NEGATIVE_INFINITY;
    if (before > now + aheadMs + waitMs) {
      return { granted: false, until: before };
    }
    const until = Math.max(before, now) + costMs;
    this.until.set(name, until);
    return { granted: true, until };
  };
}
