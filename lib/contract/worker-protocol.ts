/**
 * Leases, heartbeats and retry limits on which workers, queues and constructs agree. Milliseconds of the cloud's time.
 */

/** Length of a lease, from the claim and from each heartbeat. */
export const LEASE_MS = 90_000;

/** Interval at which a worker renews its lease. Shorter tasks need no renewal. */
export const HEARTBEAT_MS = 30_000;

/**
 * Time before the end of an unrenewed lease at which its worker considers it lost: clocks differ, and two workers must not
 * run the same step.
 */
export const LEASE_SAFETY_MS = 15_000;

/** The message stays invisible this much longer than the lease, so that the next worker finds the lease expired. */
export const VISIBILITY_BEYOND_LEASE_MS = 5_000;

/** Default number of attempts of a task. */
export const DEFAULT_MAX_ATTEMPTS = 5;

/**
 * Receives that a queue allows beyond the attempts of a task: throttled pollers, duplicates and outages of the store use
 * receives and no attempts. A worker replaces the message with a copy before they are used up.
 */
export const RECEIVE_COUNT_HEADROOM = 15;

/** Times that a task may wait for a provider's rate limit before it fails. With the longest backoff: about a day. */
export const MAX_WAITS = 100;

/** Backoff between attempts: full jitter up to `first` × 2^(n−1), at most `longest`. */
export const RETRY_BACKOFF_MS = { first: 5_000, longest: 15 * 60_000 } as const;
