import { DEFAULT_MAX_ATTEMPTS, RECEIVE_COUNT_HEADROOM } from './worker-protocol';

/**
 * Names of the lanes, of their queues and of the aliases that carry a release.
 *
 * Shared by the constructs, which create them, and by the runtime, which stamps them on messages.
 */

/** A complete worker side that runs one release at a time. */
export const LANES = ['stable', 'candidate'] as const;
export type LaneName = (typeof LANES)[number];

/** Work queues of a lane, most urgent first. */
export const PRIORITIES = ['high', 'normal', 'low'] as const;
export type Priority = (typeof PRIORITIES)[number];

/** The alias of the router that CodeDeploy shifts. Its weights are the valve. */
export const ROUTER_ALIAS = 'live';

/** Receives after which SQS moves a message of a lane to the dead-letter queue, unless told otherwise. */
export const DEFAULT_MAX_RECEIVES = DEFAULT_MAX_ATTEMPTS + RECEIVE_COUNT_HEADROOM;

/**
 * Share of a lane's concurrency that each of its queues has for itself, unless told otherwise. What one leaves idle the
 * others do not get: so none waits behind another, and the least urgent is never starved.
 */
export const DEFAULT_PRIORITY_SHARES: Readonly<Record<Priority, number>> = { high: 0.5, normal: 0.35, low: 0.15 };

/** What a task is run for. `probe` is the deep health check; its results reach no caller. */
export const MODES = ['live', 'shadow', 'probe'] as const;
export type Mode = (typeof MODES)[number];
