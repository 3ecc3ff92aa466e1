import { gridTest, type SequentialTest } from './e-process';
import { BET_SHARES } from './mean-comparison';

/**
 * Tests against a fixed limit. An observation is one value of 0 to 1 per user and day: the share of the user's judged tasks
 * that failed or were too slow, or the user's mean score.
 */
export interface LimitTests {
  /** Evidence that the limit is broken. */
  readonly harm: SequentialTest<number>;
  /** Evidence that the limit holds. */
  readonly safety: SequentialTest<number>;
}

/**
 * The mean must not exceed the limit: error rate, share of tasks slower than a latency limit.
 *
 * @param limit more than 0, less than 1
 */
export function rateLimitTests(limit: number): LimitTests {
  return {
    harm: against(1 / limit, (value) => value - limit),
    safety: against(1 / (1 - limit), (value) => limit - value),
  };
}

/**
 * The mean must not fall below the limit: quality score.
 *
 * @param limit more than 0, less than 1
 */
export function scoreLimitTests(limit: number): LimitTests {
  return {
    harm: against(1 / (1 - limit), (value) => limit - value),
    safety: against(1 / limit, (value) => value - limit),
  };
}

function against(maxBet: number, difference: (value: number) => number): SequentialTest<number> {
  return gridTest(
    BET_SHARES.map((share) => share * maxBet),
    (bet, value) => 1 + bet * difference(value),
  );
}
