import { HEARTBEAT_MS, LEASE_MS, LEASE_SAFETY_MS, VISIBILITY_BEYOND_LEASE_MS } from '../../../lib/contract';
import { scaleTimeout } from '../../shared/clock';

/**
 * Real milliseconds that a lease lasts at least. Without effect on AWS, and in rehearsals up to 30 times as fast: a
 * lease that a busy machine cannot renew in time would tell of the machine and not of the product.
 */
const MIN_REAL_MS = 3_000;

/** After a heartbeat that did not come through the next one is tried so much later. */
const REPEAT_MS = 5_000;

/** The times of the worker protocol, in milliseconds of the cloud's time, as they are where the worker runs. */
export interface LeaseTimes {
  readonly leaseMs: number;
  readonly heartbeatMs: number;
  /** Before the end of a lease by which its holder counts it as lost. */
  readonly safetyMs: number;
  readonly retryMs: number;
  /** Longer than a lease: whoever gets the message next finds the lease run out. */
  readonly visibilityBeyondLeaseMs: number;
}

export function leaseTimes(environment: NodeJS.ProcessEnv = process.env): LeaseTimes {
  const leaseMs = scaleTimeout(LEASE_MS, MIN_REAL_MS, environment);
  const stretched = leaseMs / LEASE_MS;
  return {
    leaseMs,
    heartbeatMs: HEARTBEAT_MS * stretched,
    safetyMs: LEASE_SAFETY_MS * stretched,
    retryMs: REPEAT_MS * stretched,
    visibilityBeyondLeaseMs: VISIBILITY_BEYOND_LEASE_MS,
  };
}
