/** Bounds of a backoff, in milliseconds. */
export interface BackoffBounds {
  readonly first: number;
  readonly longest: number;
}

/**
 * Delay before the nth repetition with full jitter: 0 up to first × 2^(n−1), at most `longest`
 * (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). Tasks that failed together do not return
 * together.
 *
 * @param random from 0 up to 1
 * @param retryAfterMs delay that the other side asked for; the jitter is added to it
 */
export function fullJitterMs(n: number, random: number, bounds: BackoffBounds, retryAfterMs = 0): number {
  return retryAfterMs + random * exponentialMs(n, bounds);
}

/**
 * Delay before the nth repetition with equal jitter: half of first × 2^(n−1) is fixed and half is random. The delay never
 * falls to zero, which spares a receiver that is already failing.
 *
 * @param random from 0 up to 1
 */
export function equalJitterMs(n: number, random: number, bounds: BackoffBounds): number {
  return exponentialMs(n, bounds) * (0.5 + random / 2);
}

function exponentialMs(n: number, { first, longest }: BackoffBounds): number {
  // 2^40 exceeds every bound in use; a larger exponent would only lose precision.
  return Math.min(longest, first * 2 ** Math.min(Math.max(n, 1) - 1, 40));
}
