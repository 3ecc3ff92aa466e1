import type { Mode } from '../../../lib/contract';

/**
 * Sharing of a limit per minute by the generic cell rate algorithm (https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm).
 * The store keeps one number per limit: the cloud time up to which the limit is reserved. To reserve n units a worker advances
 * it by the time that n units take, if it is not too far in the future then. A worker keeps only a lease in memory: reserved
 * units that it has not used yet.
 *
 * Upper bound for any 60 s: a lease's reservation starts at most {@link BURST_MS} after the lease and lasts at most
 * {@link MAX_RATE_LEASE_MS}, and a unit is used at most {@link UNIT_LEASE_MS} after its lease starts. So all units that are used
 * within a minute are reserved within 60 s + BURST_MS + MAX_RATE_LEASE_MS + UNIT_LEASE_MS, which holds
 * {@link TARGET_UTILIZATION} × the limit per minute: 106 % of the limit at most, after a pause, and TARGET_UTILIZATION on
 * average. A single call that is larger than MAX_RATE_LEASE_MS comes on top.
 */

/** Share of the limit that is granted. */
export const TARGET_UTILIZATION = 0.95;

/** How far ahead a live task may reserve for immediate use, in milliseconds: capacity left unused by a pause is not lost. */
export const BURST_MS = 1_000;

/** Largest lease for more than one call, in milliseconds of the whole limit. */
export const MAX_RATE_LEASE_MS = 2_000;

/** Duration of a lease in milliseconds, used or not. Units that a call did not use last equally long. */
export const UNIT_LEASE_MS = 4_000;

/** How long a call of a live task may wait in the worker for a lease that starts later, in milliseconds. */
export const MAX_WAIT_MS = 2_000;

/** How long a probe may wait, in milliseconds: its task is not retried. */
export const MAX_PROBE_WAIT_MS = 10_000;

/** Minimum delay before a denied worker asks the store again, in milliseconds. */
export const MIN_DENIED_MS = 2_000;

/** A worker reserves at once what it recently used in this many milliseconds. */
export const CHUNK_MS = 3_000;

/** While the store is unavailable, workers continue at their last granted rate for this many milliseconds; then tasks wait. */
export const MAX_WITHOUT_STORE_MS = 30_000;

/** While the store is unavailable, a worker asks it, and a task retries, after this many milliseconds. */
export const STORE_RETRY_MS = 5_000;

/**
 * Share of the live tasks' burst that each mode may reserve ahead. If live tasks use the whole limit, it is reserved further
 * ahead than the other modes may go: they get only what is left over.
 */
const SHARE: Readonly<Record<Mode, number>> = { live: 1, probe: 0.5, shadow: 0.25 };

/** How far ahead the limit may be reserved, in milliseconds. */
export interface Allowance {
  /** For a lease that starts at once. */
  readonly burstMs: number;
  /** How much further for a lease that starts later: calls that may wait take precedence over calls that may not. */
  readonly waitMs: number;
}

export function allowanceOf(mode: Mode): Allowance {
  return { burstMs: BURST_MS * SHARE[mode], waitMs: mode === 'live' ? MAX_WAIT_MS : 0 };
}

/** Milliseconds of the limit that this many units take. */
export function storeMsOf(units: number, perMinute: number): number {
  return (units * 60_000) / (perMinute * TARGET_UTILIZATION);
}

/** Units in this many milliseconds of the limit, rounded down. */
export function unitsIn(milliseconds: number, perMinute: number): number {
  // A hundredth of a unit compensates for floating-point rounding.
  return Math.floor((milliseconds * perMinute * TARGET_UTILIZATION) / 60_000 + 0.01);
}

/** Most units of one lease for more than one call. */
export function largestChunk(mode: Mode, perMinute: number): number {
  return Math.max(1, unitsIn(MAX_RATE_LEASE_MS * SHARE[mode], perMinute));
}
