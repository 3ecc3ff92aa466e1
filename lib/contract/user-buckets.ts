import { digestOf } from './digest';

/** Resolution of a share of the users: one bucket is a hundredth of a percent. */
export const USER_BUCKETS = 10_000;

/**
 * The bucket (0 to {@link USER_BUCKETS} − 1) that a user falls into for a salt.
 *
 * It depends on nothing else: not on the process that computes it, the time or the share. So every process gives the
 * same answer, and a share that grows keeps the users it already includes. Another salt includes other users first.
 */
export function userBucketOf(salt: readonly string[], user: string): number {
  return Number.parseInt(digestOf([...salt, user]).slice(0, 12), 16) % USER_BUCKETS;
}
