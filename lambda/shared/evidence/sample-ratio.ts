/** How many users each release got, and the evidence that the split is not as configured. */
export interface SampleRatioState {
  readonly candidate: number;
  readonly all: number;
  /** Natural logarithm of the evidence. */
  readonly logEvidence: number;
}

export const NO_SAMPLES: SampleRatioState = { candidate: 0, all: 0, logEvidence: 0 };

/** How strongly the test expects a split near the configured one: as if it had seen this number of users. */
const PRIOR_USERS = 100;

/**
 * Adds one user: the probability that a beta-binomial around the configured share gave to this assignment, against the
 * configured share itself. The product over all users is lnB(cρ+n₁, c(1−ρ)+n−n₁) − lnB(cρ, c(1−ρ)) − n₁ ln ρ −
 * (n−n₁) ln(1−ρ) with c = {@link PRIOR_USERS}.
 *
 * @param share configured share of the candidate: more than 0, less than 1
 */
export function observeAssignment(state: SampleRatioState, candidate: boolean, share: number): SampleRatioState {
  const expected = candidate ? share : 1 - share;
  const seen = candidate ? state.candidate : state.all - state.candidate;
  const predicted = (PRIOR_USERS * expected + seen) / (PRIOR_USERS + state.all);
  return {
    candidate: state.candidate + (candidate ? 1 : 0),
    all: state.all + 1,
    logEvidence: state.logEvidence + Math.log(predicted / expected),
  };
}

/** A new stage with another share: what was seen so far stays, as evidence; the expectation starts again. */
export function nextStage({ logEvidence }: SampleRatioState): SampleRatioState {
  return { candidate: 0, all: 0, logEvidence };
}
