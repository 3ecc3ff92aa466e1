import { Duration } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';
import { describeValue } from '../common';
import { laneError } from '../common/errors';
import type { Priority } from '../contract/lanes';

/**
 * Age of the oldest queued task, by priority, past which the HTTP API refuses new tasks: whole minutes, 1 minute to 14
 * days. The limit of a priority must not exceed that of a more urgent one.
 *
 * A task is refused when the oldest task in any queue of its lane with the same or a more urgent priority is older. So bulk
 * work is shed first, and urgent work last. Limits of 14 days, the retention of the queues, never refuse a task.
 */
export interface BacklogLimits {
  /** Limit for bulk work. @default Duration.minutes(5) */
  readonly low?: Duration;
  /** Limit for tasks that are neither urgent nor bulk. @default Duration.minutes(15) */
  readonly normal?: Duration;
  /** Limit for urgent tasks. @default Duration.minutes(60) */
  readonly high?: Duration;
}

const DEFAULTS: Readonly<Record<Priority, Duration>> = {
  low: Duration.minutes(5),
  normal: Duration.minutes(15),
  high: Duration.minutes(60),
};

const MAX_LIMIT = Duration.days(14);

/**
 * Limits in seconds.
 *
 * @throws LaneError for limits out of range or out of order
 */
export function backlogLimitSeconds(scope: IConstruct, limits: BacklogLimits = {}): Record<Priority, number> {
  const seconds = (priority: Priority): number => {
    const limit = limits[priority] ?? DEFAULTS[priority];
    const value = limit.isUnresolved() ? Number.NaN : limit.toMilliseconds() / 1_000;
    if (!(value >= 60 && value % 60 === 0 && value <= MAX_LIMIT.toSeconds())) {
      throw laneError(
        scope,
        'InvalidBacklogLimit',
        `backpressure: limit of priority ${priority} must be whole minutes between 1 minute and ${describeValue(MAX_LIMIT)}, got ${describeValue(limit)}; CloudWatch measures the age of the oldest message once a minute`,
      );
    }
    return value;
  };
  const inSeconds = { high: seconds('high'), normal: seconds('normal'), low: seconds('low') };
  if (inSeconds.low > inSeconds.normal || inSeconds.normal > inSeconds.high) {
    throw laneError(
      scope,
      'ConflictingBacklogLimits',
      `backpressure: limits must be in the order low ≤ normal ≤ high, got low ${inSeconds.low} s, normal ${inSeconds.normal} s, high ${inSeconds.high} s; less urgent tasks are refused first`,
    );
  }
  return inSeconds;
}
