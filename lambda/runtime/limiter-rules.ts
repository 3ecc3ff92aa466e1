import type { Mode } from '../../lib/contract';

/**
 * How a limit per minute is shared: the generic cell rate algorithm. The store keeps one number per limit, the time (of the
 * cloud) up to which the limit is spoken for. Whoever wants n units moves it on by the time that n units take, and may if
 * it does not come to lie too far ahead. All that a worker keeps in memory is a lease: units already paid for there.
 *
 * What may be used in any 60 s: a unit is used at most {@link LEASE_MS} after its lease begins, and its place in the store's
 * time lies at most {@link BURST_MS} ahead of that beginning. So units used in one minute have their places within
 * 60 s + BURST_MS + LEASE_MS, and these hold {@link PACE} × the limit per minute each: 106 % of the limit at the very most,
 * after a pause, and PACE of it on average.
 */

/** Share of the limit that is given out. */
export const PACE = 0.95;

/** How far ahead live tasks may use what the limit allows later: after a pause so much is there at once. */
export const BURST_MS = 2_000;

/** A lease ends, used or not, so long after it begins. Leftovers of calls that used less than estimated last as long. */
export const LEASE_MS = 5_000;

/** How long a call of a live task may wait for its turn in the worker, which then has a lease that is yet to begin. */
export const WAIT_MS = 2_000;

/** The probe of a deployment waits longer: its task is not taken up again. */
export const PROBE_PATIENCE_MS = 10_000;

/** A worker takes as much at once as it used in so long lately. */
export const CHUNK_MS = 3_000;

/** While the store is away, workers go on for so long at the pace at which they were last served; then tasks wait. */
export const WITHOUT_STORE_MS = 30_000;

/** With the store away, tasks wait so long; and a worker asks it that often. */
export const STORE_AGAIN_MS = 5_000;

/**
 * Share of the burst that each mode may use. Where live tasks take all that there is, the store's time lies further ahead
 * than the others may go: they get what is left over.
 */
const BURST_SHARE: Readonly<Record<Mode, number>> = { live: 1, probe: 0.5, shadow: 0.25 };

/** What a mode may have. Milliseconds of the store's time. */
export interface Allowance {
  /** How far ahead the store's time may come to lie for a lease that begins at once. */
  readonly burstMs: number;
  /** How much further for one that begins later. */
  readonly waitMs: number;
}

/** @param costMs of the lease: what is larger than the burst is let through while nothing else is spoken for */
export function allowanceOf(mode: Mode, costMs: number): Allowance {
  return {
    burstMs: Math.max(BURST_MS * BURST_SHARE[mode], costMs),
    // Who may wait in line stands before those who may not.
    waitMs: mode === 'live' ? WAIT_MS : 0,
  };
}

/** Milliseconds of the store's time that so many units take. */
export function costOf(units: number, perMinute: number): number {
  return (units * 60_000) / (perMinute * PACE);
}

/** Units that take so many milliseconds of the store's time, rounded down. */
export function unitsIn(milliseconds: number, perMinute: number): number {
  // A hundredth of a unit more, against what is lost in the last digit.
  return Math.floor((milliseconds * perMinute * PACE) / 60_000 + 0.01);
}

/** Most units that are leased at once: what the mode may have ahead, but one call at least. */
export function largestChunk(mode: Mode, perMinute: number): number {
  return Math.max(1, unitsIn(BURST_MS * BURST_SHARE[mode], perMinute));
}
