import type { Mode, ModelSettings } from '../../../lib/contract';

/** Estimated use of one provider call. */
export interface RateEstimate {
  readonly requests: 1;
  /** Input and output together; see {@link estimateTokens}. */
  readonly tokens: number;
}

/** Permission for one call. */
export interface RateLease {
  /**
   * Reports the tokens that the call used; 0 for a call without an answer. The next call gets the units that were estimated too
   * high, and covers those that were estimated too low. Later calls of this function do nothing; an unsettled lease counts as
   * estimated.
   */
  settle(actualTokens: number): void;
}

/** Keeps the calls of all workers of a service within the limits of the providers. */
export interface RateLimiter {
  /**
   * Waits for permission to make one call.
   *
   * @throws ThrottledError `rate_limited` when the wait would be too long: the task waits in its queue instead
   * @throws the signal's reason when it aborts
   */
  acquire(
    provider: ModelSettings['provider'],
    estimate: RateEstimate,
    mode: Mode,
    signal: AbortSignal,
  ): Promise<RateLease>;
}

/** Approximate characters per token in English prose. */
const CHARACTERS_PER_TOKEN = 4;

/** Estimated tokens of a call: its text and the longest allowed answer. */
export function estimateTokens(text: string, maxTokens: number): number {
  return Math.ceil(text.length / CHARACTERS_PER_TOKEN) + maxTokens;
}

export const UNCOUNTED: RateLease = { settle: () => {} };

/** For services without limits. */
export const UNLIMITED: RateLimiter = {
  acquire: async (_provider, _estimate, _mode, signal) => {
    signal.throwIfAborted();
    return UNCOUNTED;
  },
};
