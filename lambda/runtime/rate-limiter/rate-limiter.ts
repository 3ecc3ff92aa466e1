import type { Mode, ModelSettings } from '../../../lib/contract';

/** What one call to a provider will use, for all that is known before it. */
export interface RateEstimate {
  readonly requests: 1;
  /** Input and output together; see {@link estimateTokens}. */
  readonly tokens: number;
}

/** Leave to make one call. */
export interface RateLease {
  /**
   * To be called once the call is over, with the tokens that it used in truth: 0 for one that was not answered. What was estimated too high is there for the next call, what was estimated too low is paid by it. Calls after the
   * first do nothing; a lease that is never settled counts as estimated.
   */
  settle(actualTokens: number): void;
}

/** Keeps what all workers of an agent ask of a provider within what the provider allows. */
export interface RateLimiter {
  /**
   * Leave for one call; waits for it if that takes a moment.
   *
   * @throws ThrottledError `rate_limited` when it takes longer: the task is to wait in its queue
   * @throws the signal's reason when it aborts meanwhile
   */
  acquire(
    provider: ModelSettings['provider'],
    estimate: RateEstimate,
    mode: Mode,
    signal: AbortSignal,
  ): Promise<RateLease>;
}

/** Characters that make about one token, in English prose. */
const CHARACTERS_PER_TOKEN = 4;

/** Tokens of a call before it is made: its text, and all that the answer may have. */
export function estimateTokens(text: string, maxTokens: number): number {
  return Math.ceil(text.length / CHARACTERS_PER_TOKEN) + maxTokens;
}

export const UNCOUNTED: RateLease = { settle: () => {} };

/** For agents without limits. */
export const UNLIMITED: RateLimiter = {
  acquire: async (_provider, _estimate, _mode, signal) => {
    signal.throwIfAborted();
    return UNCOUNTED;
  },
};
