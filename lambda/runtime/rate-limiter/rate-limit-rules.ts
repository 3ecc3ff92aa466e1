import type { Mode } from '../../../lib/contract';

/**
 * How a limit per minute is shared: the generic cell rate algorithm. The store keeps one number per limit, the time (of the
 * cloud) up to which the limit is spoken for. Whoever wants n units moves it on by the time that n units take, and may if
 * it does not lie too far ahead by then. All that a worker keeps in memory is a lease: units already paid for there.
 *
 * What may be used in any 60 s: a lease's place in the store's time begins at most {@link BURST_MS} after the lease does,
 * and is at most {@link MAX_RATE_LEASE_MS} long; and a unit is used at most {@link UNIT_LEASE_MS} after its lease begins. So all units
 * that are used within a minute have their places within 60 s + AHEAD_MS + MAX_MS + UNIT_LEASE_MS, where there is room for
 * {@link TARGET_UTILIZATION} × the limit each minute. That is 106 % of the limit at the very most, after a pause, and PACE on average. A
 * single call that is larger than MAX_MS comes on top.
 */

/** Share of the limit that is given out. */
export const TARGET_UTILIZATION = 0.95;

/** How far ahead the limit may be spoken for when a live task takes of it at once: what a pause left unused is not lost. */
export const BURST_MS = 1_000;

/** Largest lease, if it is for more than one call: so many milliseconds of all that the limit allows. */
export const MAX_RATE_LEASE_MS = 2_000;

/** A lease ends, used or not, so long after it begins. Leftovers of calls that used less than estimated last as long. */
export const UNIT_LEASE_MS = 4_000;

/** How long a call of a live task may wait for its turn in the worker, which then has a lease that is yet to begin. */
export const MAX_WAIT_MS = 2_000;

/** The probe of a deployment waits longer: its task is not taken up again. */
export const MAX_PROBE_WAIT_MS = 10_000;

/** A worker that was refused asks again after so long at the earliest: shorter than the line that it met. */
export const MIN_DENIED_MS = 2_000;

/** A worker takes as much at once as it used in so long lately. */
export const CHUNK_MS = 3_000;

/** While the store is away, workers go on for so long at the pace at which they were last served; then tasks wait. */
export const MAX_WITHOUT_STORE_MS = 30_000;

/** With the store away, tasks wait so long; and a worker asks it that often. */
export const STORE_RETRY_MS = 5_000;

/**
 * How much of what live tasks may have ahead each mode may have. Where live tasks take all that there is, the limit is
 * spoken for further ahead than the others may go: they get what is left over.
 */
const SHARE: Readonly<Record<Mode, number>> = { live: 1, probe: 0.5, shadow: 0.25 };

/** How far ahead the limit may be spoken for. */
export interface Allowance {
  /** For a lease that begins at once. */
  readonly burstMs: number;
  /** How much further for one that begins later: who may wait in line stands before those who may not. */
  readonly waitMs: number;
}

export function allowanceOf(mode: Mode): Allowance {
  return { burstMs: BURST_MS * SHARE[mode], waitMs: mode === 'live' ? MAX_WAIT_MS : 0 };
}

/** Milliseconds of the store's time that so many units take. */
export function storeMsOf(units: number, perMinute: number): number {
  return (units * 60_000) / (perMinute * TARGET_UTILIZATION);
}

/** Units that take so many milliseconds of the store's time, rounded down. */
export function unitsIn(milliseconds: number, perMinute: number): number {
  // A hundredth of a unit more, against what is lost in the last digit.
  return Math.floor((milliseconds * perMinute * TARGET_UTILIZATION) / 60_000 + 0.01);
}

/** Most units that are leased at once for more than one call. */
export function largestChunk(mode: Mode, perMinute: number): number {
  return Math.max(1, unitsIn(MAX_RATE_LEASE_MS * SHARE[mode], perMinute));
}
