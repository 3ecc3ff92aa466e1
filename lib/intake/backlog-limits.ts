import { Duration } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';
import { describeValue } from '../common';
import { laneError } from '../common/errors';
import type { Priority } from '../contract/lanes';

/**
 * Age of the oldest waiting task, by priority, past which the HTTP API refuses further ones: whole minutes, 1 to 14 days,
 * no priority's limit above that of a more urgent one.
 *
 * A task of a priority is refused when the oldest task in any queue of its lane with that priority or a more urgent one is
 * older. So bulk work is shed first, and urgent work last. To never refuse, give all three 14 days, for which queues keep
 * messages.
 */
export interface BacklogLimits {
  /** @default Duration.minutes(5) */
  readonly low?: Duration;
  /** @default Duration.minutes(15) */
  readonly normal?: Duration;
  /** @default Duration.minutes(60) */
  readonly high?: Duration;
}

const DEFAULTS: Readonly<Record<Priority, Duration>> = {
  low: Duration.minutes(5),
  normal: Duration.minutes(15),
  high: Duration.minutes(60),
};

const LONGEST = Duration.days(14);

/**
 * Limits in seconds.
 *
 * @throws LaneError for a limit that cannot be kept
 */
export function backlogLimitSeconds(scope: IConstruct, limits: BacklogLimits = {}): Record<Priority, number> {
  const seconds = (priority: Priority): number => {
    const limit = limits[priority] ?? DEFAULTS[priority];
    const value = limit.isUnresolved() ? Number.NaN : limit.toMilliseconds() / 1_000;
    if (!(value >= 60 && value % 60 === 0 && value <= LONGEST.toSeconds())) {
      throw laneError(
        scope,
        'InvalidBacklogLimit',
        `backpressure: limit of priority ${priority} must be whole minutes between 1 minute and ${describeValue(LONGEST)}, got ${describeValue(limit)}; CloudWatch measures the age of the oldest message once a minute`,
      );
    }
    return value;
  };
  const inSeconds = { high: seconds('high'), normal: seconds('normal'), low: seconds('low') };
  if (inSeconds.low > inSeconds.normal || inSeconds.normal > inSeconds.high) {
    throw laneError(
      scope,
      'ConflictingBacklogLimits',
      `backpressure: limits are low ${inSeconds.low} s, normal ${inSeconds.normal} s, high ${inSeconds.high} s, expected low ≤ normal ≤ high; less urgent tasks are refused first`,
    );
  }
  return inSeconds;
}
