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
export const DEFAULT_MAX_RECEIVES = 5;

/** What a task is run for. `probe` is the deep health check; its results reach no caller. */
export const MODES = ['live', 'shadow', 'probe'] as const;
export type Mode = (typeof MODES)[number];
