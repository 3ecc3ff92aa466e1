/**
 * Times and counts by which workers, queues and constructs agree on who works on a task. Milliseconds of the cloud's
 * time.
 */

/** A lease lasts so long from the claim and from each heartbeat. */
export const LEASE_MS = 90_000;

/** A worker renews its lease so often. Tasks that are done before cost no renewal. */
export const HEARTBEAT_MS = 30_000;

/**
 * A worker takes its lease for lost so long before it ends, unless it was renewed: clocks differ, and nothing may be
 * begun that another worker might already do.
 */
export const LEASE_SAFETY_MS = 15_000;

/** The message stays hidden so much longer than the lease, so that whoever gets it next finds the lease run out. */
export const VISIBILITY_BEYOND_LEASE_MS = 5_000;

/** Attempts that a task gets, unless told otherwise. */
export const DEFAULT_MAX_ATTEMPTS = 5;

/**
 * Receives that a queue allows beyond the attempts of a task: throttled pollers, duplicates and outages of the store use
 * receives and no attempts. Before they are used up a worker replaces the message by a fresh copy.
 */
export const RECEIVE_COUNT_HEADROOM = 15;

/** Times that a task may wait for a provider's limit before it fails. At the longest backoff: about a day. */
export const MAX_WAITS = 100;

/** Backoff between attempts: full jitter up to first × 2^(n−1), at most longest. */
export const RETRY_BACKOFF_MS = { first: 5_000, longest: 15 * 60_000 } as const;
