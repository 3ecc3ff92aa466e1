import {
  type BacklogItem,
  type BacklogLimitSeconds,
  type LaneName,
  PRIORITIES,
  type Priority,
} from '../../../lib/contract';

/** Why a task of some priority has to stay outside for now. */
export interface Overload {
  /** Priority of the queue whose oldest message is too old. */
  readonly queue: Priority;
  readonly ageSeconds: number;
  readonly limitSeconds: number;
  readonly retryAfterSeconds: number;
}

/** Shortest and longest time, in seconds, of the Retry-After that a caller gets. */
const RETRY_AFTER = [30, 300] as const;

/**
 * Whether intake has to refuse tasks of the priority: when the oldest message in a queue of the lane, of this priority or a
 * more urgent one, is older than the priority's limit. A less urgent queue says nothing about how long this one takes.
 */
export function overloadOf(
  { queues }: BacklogItem,
  lane: LaneName,
  priority: Priority,
  limits: BacklogLimitSeconds,
): Overload | undefined {
  const limitSeconds = limits[priority];
  const [oldest] = PRIORITIES.slice(0, PRIORITIES.indexOf(priority) + 1)
    .map((queue) => ({ queue, ageSeconds: Math.round(queues[lane][queue].oldestSeconds ?? 0) }))
    .sort((a, b) => b.ageSeconds - a.ageSeconds);
  return oldest === undefined || oldest.ageSeconds <= limitSeconds
    ? undefined
    : { ...oldest, limitSeconds, retryAfterSeconds: retryAfter(oldest.ageSeconds, limitSeconds) };
}

/** As many seconds as the age is above the limit: the further behind, the longer away; 30 to 300. */
function retryAfter(ageSeconds: number, limitSeconds: number): number {
  const [least, most] = RETRY_AFTER;
  return Math.ceil(Math.min(most, Math.max(least, ageSeconds - limitSeconds)));
}
