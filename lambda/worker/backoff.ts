import { RETRY_BACKOFF_MS } from '../../lib/contract';

/**
 * Milliseconds before the nth repetition: full jitter up to first × 2^(n−1), at most longest, so that tasks that failed
 * together do not come back together. What the other side asked to wait comes on top: nobody is there sooner, and not
 * everybody at once.
 *
 * @param random from 0 up to 1
 */
export function backoffMs(n: number, random: number, retryAfterMs = 0): number {
  const { first, longest } = RETRY_BACKOFF_MS;
  // 2^40 is past every longest: more would only lose precision.
  const bound = Math.min(longest, first * 2 ** Math.min(Math.max(n, 1) - 1, 40));
  return retryAfterMs + random * bound;
}
