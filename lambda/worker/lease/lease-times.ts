import { HEARTBEAT_MS, LEASE_MS, LEASE_SAFETY_MS, VISIBILITY_BEYOND_LEASE_MS } from '../../../lib/contract';
import { scaleTimeout } from '../../shared/clock';

/**
 * Minimum duration of a lease in real milliseconds. No effect on AWS and in rehearsals up to 30 times real time; in faster
 * ones a busy machine could not renew a shorter lease in time.
 */
const MIN_REAL_MS = 3_000;

/** Delay after a failed heartbeat, in milliseconds. */
const RETRY_MS = 5_000;

/** The times of the worker protocol in milliseconds of the cloud's time, scaled for a rehearsal. */
export interface LeaseTimes {
  readonly leaseMs: number;
  readonly heartbeatMs: number;
  /** The holder counts a lease as lost this long before it expires. */
  readonly safetyMs: number;
  readonly retryMs: number;
  /** A message stays hidden this much longer than its task's lease: the next worker finds the lease expired. */
  readonly visibilityBeyondLeaseMs: number;
}

export function leaseTimes(environment: NodeJS.ProcessEnv = process.env): LeaseTimes {
  const leaseMs = scaleTimeout(LEASE_MS, MIN_REAL_MS, environment);
  const scale = leaseMs / LEASE_MS;
  return {
    leaseMs,
    heartbeatMs: HEARTBEAT_MS * scale,
    safetyMs: LEASE_SAFETY_MS * scale,
    retryMs: RETRY_MS * scale,
    visibilityBeyondLeaseMs: VISIBILITY_BEYOND_LEASE_MS,
  };
}
