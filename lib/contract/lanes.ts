import { DEFAULT_MAX_ATTEMPTS, RECEIVE_COUNT_HEADROOM } from './worker-protocol';

/**
 * Names of the lanes, of their queues and of the router's alias: the constructs create them, the runtime writes them to
 * messages and records.
 */

/** The lanes: each is a complete worker side that runs one release at a time. */
export const LANES = ['stable', 'candidate'] as const;
export type LaneName = (typeof LANES)[number];

/** Work queues of a lane, most urgent first. */
export const PRIORITIES = ['high', 'normal', 'low'] as const;
export type Priority = (typeof PRIORITIES)[number];

/** The alias of the router that CodeDeploy shifts. Its weights are the valve. */
export const ROUTER_ALIAS = 'live';

/** Receives after which SQS moves a message of a lane to the dead-letter queue, by default. */
export const DEFAULT_MAX_RECEIVES = DEFAULT_MAX_ATTEMPTS + RECEIVE_COUNT_HEADROOM;

/**
 * Default share of a lane's concurrency that is reserved for each of its queues. The unused share of one queue is not
 * available to the others, so no queue waits for another and bulk work always makes progress.
 */
export const DEFAULT_PRIORITY_SHARES: Readonly<Record<Priority, number>> = { high: 0.5, normal: 0.35, low: 0.15 };

/** Purpose of a task. `probe` is the deep health check of a preflight; callers do not see its result. */
export const MODES = ['live', 'shadow', 'probe'] as const;
export type Mode = (typeof MODES)[number];
