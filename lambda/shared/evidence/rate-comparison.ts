import { gridTest, type SequentialTest } from './e-process';

/** One event (an error, a task past its limit, …) of a user's first judged task of the day. */
export interface RateEvent {
  /** Whether the event came from the candidate. */
  readonly candidate: boolean;
  /** The candidate's share among judged users when this user was assigned: more than 0, less than 1. */
  readonly share: number;
}

const HARM_RATIOS = [1.25, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48];
const SAFETY_DIVISORS = [1.25, 1.5, 2, 3, 4, 6, 8, 16];

/**
 * Evidence that events are more frequent on the candidate than `toleratedRatio` times the stable release's rate. Only
 * events count, so an outage that hits both releases alike moves nothing (Lindon & Malek 2020, arXiv 2011.03567).
 *
 * @param toleratedRatio @default 1
 */
export function rateHarmTest(toleratedRatio = 1): SequentialTest<RateEvent> {
  return ratioTest(
    toleratedRatio,
    HARM_RATIOS.map((ratio) => toleratedRatio * ratio),
  );
}

/**
 * Evidence that events are less frequent on the candidate than `ratio` times the stable release's rate.
 *
 * @param ratio the smallest ratio that counts as harm: 1.5 to 3
 */
export function rateSafetyTest(ratio: number): SequentialTest<RateEvent> {
  return ratioTest(
    ratio,
    SAFETY_DIVISORS.map((divisor) => ratio / divisor),
  );
}

function ratioTest(nullRatio: number, ratios: readonly number[]): SequentialTest<RateEvent> {
  return gridTest(ratios, (ratio, { candidate, share }) => {
    const alternative = candidateProbability(ratio, share);
    const hypothesis = candidateProbability(nullRatio, share);
    return candidate ? alternative / hypothesis : (1 - alternative) / (1 - hypothesis);
  });
}

/** Probability that an event comes from the candidate if its rate is `ratio` times the stable release's. */
function candidateProbability(ratio: number, share: number): number {
  return (share * ratio) / (share * ratio + 1 - share);
}
