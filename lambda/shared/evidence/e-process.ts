/**
 * A sequential test that may be looked at after every observation: it keeps a bet against its null hypothesis. Under the
 * null the expected value of the bet never exceeds 1, so the probability that it ever reaches 1/α is at most α (Ville's
 * inequality; Howard, Ramdas, McAuliffe, Sekhon 2021, arXiv 1810.08240).
 *
 * The state is an array with one number for each alternative that the test bets on (the natural logarithm of that bet), so
 * that it can be stored in an item and continued by another process.
 */
export interface SequentialTest<Observation> {
  /** State before the first observation. */
  start(): number[];
  /** State after one more observation; the given state is not changed. */
  observe(state: readonly number[], observation: Observation): number[];
  /** Natural logarithm of the evidence against the null hypothesis: 0 before the first observation. */
  logEvidence(state: readonly number[]): number;
}

/**
 * Builds a test from the factor by which each alternative's bet grows with an observation; the evidence is the mean over
 * the alternatives.
 *
 * @param alternatives at least one
 * @param factor non-negative, with an expectation of at most 1 under the null hypothesis
 * @throws RangeError on a stored state of another length: it belongs to a test with other alternatives
 */
export function gridTest<Observation>(
  alternatives: readonly number[],
  factor: (alternative: number, observation: Observation) => number,
): SequentialTest<Observation> {
  const checked = (state: readonly number[]): readonly number[] => {
    if (state.length !== alternatives.length) {
      throw new RangeError(
        `the state of a sequential test must have ${alternatives.length} numbers, got ${state.length}: it belongs to a test with other alternatives`,
      );
    }
    return state;
  };
  return {
    start: () => alternatives.map(() => 0),
    observe: (state, observation) =>
      checked(state).map((log, index) => log + Math.log(factor(alternatives[index] as number, observation))),
    logEvidence: (state) => logMeanExp(checked(state)),
  };
}

/** ln of the mean of exp(x), without overflow. */
export function logMeanExp(logs: readonly number[]): number {
  const max = Math.max(...logs);
  if (!Number.isFinite(max)) {
    return max;
  }
  return max + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - max), 0) / logs.length);
}

/** `count` points from `first` to `last`, each the same multiple of the one before. */
export function geometricGrid(first: number, last: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first * (last / first) ** (index / (count - 1)));
}
