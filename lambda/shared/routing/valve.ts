import { digestOf, VALVE_BUCKETS } from '../../../lib/contract';

/**
 * The bucket (0 to {@link VALVE_BUCKETS} − 1) that a user falls into during the shift to a router version.
 *
 * It depends on nothing else: not on the router that computes it, nor on the time or the weight, so every router gives
 * the same answer, and a growing weight keeps whoever is in. The version is the salt: other users go first in each shift.
 */
export function bucketOf(agent: string, shiftVersion: string, user: string): number {
  const digits = digestOf([agent, shiftVersion, user]).slice(0, 12);
  return Number.parseInt(digits, 16) % VALVE_BUCKETS;
}

/**
 * Whether a valve that is open by `weight` (0 to 1) lets the bucket through to the candidate. Buckets are whole, so the
 * weight is rounded to one: 0.07 × 10,000 is a little more than 700 in floating point, and must not let bucket 700 in.
 */
export function isLetThrough(weight: number, bucket: number): boolean {
  return bucket < Math.round(weight * VALVE_BUCKETS);
}
