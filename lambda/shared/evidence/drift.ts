import { geometricGrid } from './e-process';

/** Decline of the mean score that is tolerated. */
const TOLERANCE = 0.005;
const BETS = geometricGrid(0.05, 1, 8);

/** Evidence of slow drift at which people are notified. */
export const DRIFT_THRESHOLD = 1_000;

/**
 * Detects a slow decline of scores (0 to 1) below a baseline: an e-CUSUM, which forgets a good past but never more than that
 * (Shin, Ramdas, Rinaldo, arXiv 2203.03532).
 *
 * @param evidence evidence so far; 0 at the start
 * @param baseline mean score when the release was promoted: more than 0.005
 * @returns evidence after the score; compare with {@link DRIFT_THRESHOLD}
 */
export function observeDrift(evidence: number, score: number, baseline: number): number {
  const likelihood =
    BETS.reduce((sum, bet) => sum + 1 + (bet / baseline) * (baseline - TOLERANCE - score), 0) / BETS.length;
  return likelihood * Math.max(evidence, 1);
}
