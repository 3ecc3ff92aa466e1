import { geometricGrid, gridTest, logMeanExp, type SequentialTest } from './e-process';
import { type RateEvent, rateHarmTest } from './rate-comparison';

/** One judged user of the candidate beside the stable users who finished since the one before. */
export interface ComparedPair {
  /** Value of the candidate's user: one per user and day. */
  readonly candidate: number;
  /** Mean over the stable users, at least one. Each value is capped before the mean is taken. */
  readonly stable: number;
}

/** Shares of the largest bet that can never lose everything. */
export const BET_SHARES = geometricGrid(0.01, 0.95, 12);

export interface CostTestOptions {
  /** Increase that is tolerated: 0.2 is 20 %. */
  readonly margin: number;
  /** Frozen before the rollout; larger values count as this. US dollars, or calls. */
  readonly cap: number;
}

/** Evidence that the candidate's mean cost (or number of calls) exceeds (1 + margin) times the stable mean. */
export function costHarmTest({ margin, cap }: CostTestOptions): SequentialTest<ComparedPair> {
  return betting(1 / ((1 + margin) * cap), ({ candidate, stable }) => Math.min(candidate, cap) - (1 + margin) * stable);
}

/** Evidence that the candidate's mean cost is below (1 + margin) times the stable mean. */
export function costSafetyTest({ margin, cap }: CostTestOptions): SequentialTest<ComparedPair> {
  return betting(1 / cap, ({ candidate, stable }) => (1 + margin) * stable - Math.min(candidate, cap));
}

/**
 * Evidence that the candidate's mean score (0 to 1) is more than `margin` below the stable mean.
 *
 * @param margin loss that is tolerated: 0.02 is two hundredths
 */
export function scoreHarmTest(margin: number): SequentialTest<ComparedPair> {
  return betting(1 / (1 + margin), ({ candidate, stable }) => stable - candidate - margin);
}

/** Evidence that the candidate's mean score is no more than `margin` below the stable mean. */
export function scoreSafetyTest(margin: number): SequentialTest<ComparedPair> {
  return betting(1 / (1 - margin), ({ candidate, stable }) => candidate - stable + margin);
}

/** Events of tasks whose cost exceeds the cap: a bet on the mean cannot see them, since it caps what it counts. */
export const runawayHarmTest: () => SequentialTest<RateEvent> = rateHarmTest;

/** Evidence of a mean gate with its runaways: half of the stake on each. */
export function withRunaways(logMeanEvidence: number, logRunawayEvidence: number): number {
  return logMeanExp([logMeanEvidence, logRunawayEvidence]);
}

/**
 * Bets a share of the wealth on a difference whose expectation is at most 0 under the null hypothesis (Waudby-Smith &
 * Ramdas 2024, arXiv 2010.09686).
 *
 * @param maxBet the bet at which the worst difference loses everything
 */
function betting(maxBet: number, difference: (pair: ComparedPair) => number): SequentialTest<ComparedPair> {
  return gridTest(
    BET_SHARES.map((share) => share * maxBet),
    (bet, pair) => 1 + bet * difference(pair),
  );
}
