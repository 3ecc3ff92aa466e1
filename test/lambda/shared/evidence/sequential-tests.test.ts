import * as fc from 'fast-check';
import { rateLimitTests, scoreLimitTests } from '../../../../lambda/shared/evidence/absolute-limit';
import { DRIFT_THRESHOLD, observeDrift } from '../../../../lambda/shared/evidence/drift';
import { geometricGrid, logMeanExp, type SequentialTest } from '../../../../lambda/shared/evidence/e-process';
import {
  costHarmTest,
  costSafetyTest,
  scoreHarmTest,
  scoreSafetyTest,
  withRunaways,
} from '../../../../lambda/shared/evidence/mean-comparison';
import { type RateEvent, rateHarmTest, rateSafetyTest } from '../../../../lambda/shared/evidence/rate-comparison';
import { NO_SAMPLES, nextStage, observeAssignment } from '../../../../lambda/shared/evidence/sample-ratio';

function evidence<T>(test: SequentialTest<T>, observations: readonly T[]): number {
  return test.logEvidence(observations.reduce<number[]>((state, next) => test.observe(state, next), test.start()));
}

function events(candidates: readonly number[], shares: number | readonly number[]): RateEvent[] {
  return candidates.map((a, index) => ({
    candidate: a === 1,
    share: typeof shares === 'number' ? shares : (shares[index] as number),
  }));
}

const zeros = (count: number) => Array<number>(count).fill(0);
const ones = (count: number) => Array<number>(count).fill(1);

describe('rate gate, compared with the stable release', () => {
  test.each<[string, RateEvent[], number, number]>([
    ['three candidate events', events(ones(3), 0.05), 1, 6.493513],
    ['mixed events', events([0, 1, 0, 0, 1, 1], 0.05), 1, 4.198962],
    ['20 stable events', events(zeros(20), 0.05), 1, -1.796227],
    ['a share that grows', events([1, 0, 1, 1, 0], [0.05, 0.05, 0.2, 0.2, 0.5]), 1, 1.882837],
    ['6 candidate and 24 stable events', events([...ones(6), ...zeros(24)], 0.05), 1, 2.923232],
    ['the same with twice the rate tolerated', events([...ones(6), ...zeros(24)], 0.05), 2, 0.250292],
  ])('harm: %s', (_, seen, tolerated, expected) => {
    expect(evidence(rateHarmTest(tolerated), seen)).toBeCloseTo(expected, 6);
  });

  test.each<[string, RateEvent[], number]>([
    ['40 stable events', events(zeros(40), 0.05), 2.9173722],
    ['2 candidate events, then 58 stable ones', events([1, 1, ...zeros(58)], 0.05), 1.2784195],
  ])('safety against twice the rate: %s', (_, seen, expected) => {
    expect(evidence(rateSafetyTest(2), seen)).toBeCloseTo(expected, 6);
  });
});

describe('mean gate, compared with the stable release', () => {
  test('harm by cost', () => {
    const candidate = [1.5, 2, 0.9, 3, 1.2, 2.5, 1.8, 2.2];
    const stable = [1, 0.9, 1.1, 1, 0.95, 1.05, 1, 0.9];
    const pairs = candidate.map((value, index) => ({ candidate: value, stable: stable[index] as number }));
    expect(evidence(costHarmTest({ margin: 0.2, cap: 5 }), pairs)).toBeCloseTo(0.237181051, 8);
  });

  test('harm by quality', () => {
    const candidate = [0.6, 0.7, 0.5, 0.8, 0.65];
    const stable = [0.8, 0.82, 0.79, 0.81, 0.8];
    const pairs = candidate.map((value, index) => ({ candidate: value, stable: stable[index] as number }));
    expect(evidence(scoreHarmTest(0.02), pairs)).toBeCloseTo(0.16054154, 7);
  });

  test('runaways get half of the stake, so that either test alone proves harm', () => {
    expect(withRunaways(Math.log(400), 0)).toBeCloseTo(Math.log(200.5), 8);
    expect(withRunaways(0, Math.log(400))).toBeCloseTo(Math.log(200.5), 8);
  });
});

describe('absolute limits', () => {
  test.each<[string, SequentialTest<number>, number[], number]>([
    ['rate harm', rateLimitTests(0.05).harm, [1, 0, 1, 1, 0, 0, 1], 5.711076],
    ['rate safety, 100 without an error', rateLimitTests(0.05).safety, zeros(100), 2.718921],
    ['rate safety, 60 and then an error', rateLimitTests(0.05).safety, [...zeros(60), 1], 0.325619],
    ['score harm', scoreLimitTests(0.7).harm, [0.5, 0.6, 0.4, 0.55, 0.3, 0.62], 1.276671],
    ['score safety', scoreLimitTests(0.7).safety, [0.9, 0.85, 0.95, 0.8, 0.9, 0.88], 0.423158],
  ])('%s', (_, test, values, expected) => {
    expect(evidence(test, values)).toBeCloseTo(expected, 6);
  });

  test('a release that fails every task is stopped after three users', () => {
    const { harm } = rateLimitTests(0.05);
    expect(evidence(harm, ones(2))).toBeLessThan(Math.log(100));
    expect(evidence(harm, ones(3))).toBeGreaterThan(Math.log(100));
  });

  test('proof of at most 5 % errors takes 107 users without any', () => {
    const { safety } = rateLimitTests(0.05);
    expect(evidence(safety, zeros(106))).toBeLessThan(Math.log(20));
    expect(evidence(safety, zeros(107))).toBeGreaterThan(Math.log(20));
  });
});

describe('sample ratio', () => {
  function split(candidate: number, all: number): number {
    let state = NO_SAMPLES;
    for (let user = 0; user < all; user += 1) {
      state = observeAssignment(state, user < candidate, 0.05);
    }
    return state.logEvidence;
  }

  test('60 of 1,000 users at a share of 5 % are as expected', () => {
    expect(split(60, 1_000)).toBeCloseTo(-0.386553, 6);
  });

  test('30 of 1,000 are suspicious', () => {
    expect(split(30, 1_000)).toBeCloseTo(3.37396, 6);
  });

  test('a new stage keeps the evidence and expects its own share', () => {
    const before = observeAssignment(NO_SAMPLES, true, 0.05);
    const after = observeAssignment(nextStage(before), false, 0.5);
    expect(after).toEqual({ candidate: 0, all: 1, logEvidence: before.logEvidence });
  });
});

describe('slow drift', () => {
  const SCORES_PER_DAY = 50;

  /** Day on which a mean that starts at 0.8 and loses a fixed amount every week is found; undefined: not within 120 days. */
  function dayFound(weeklyLoss: number): number | undefined {
    let evidence = 0;
    for (let score = 0; score < 120 * SCORES_PER_DAY; score += 1) {
      const day = score / SCORES_PER_DAY;
      const mean = 0.8 - weeklyLoss * (day / 7);
      evidence = observeDrift(evidence, mean + (score % 2 === 0 ? 0.15 : -0.15), 0.8);
      if (evidence >= DRIFT_THRESHOLD) {
        return Math.ceil(day);
      }
    }
    return undefined;
  }

  test('scores at the baseline do not alarm in 120 days', () => {
    expect(dayFound(0)).toBeUndefined();
  });

  test('a loss of two hundredths a week is found in the third week', () => {
    expect(dayFound(0.02)).toBeGreaterThan(10);
    expect(dayFound(0.02)).toBeLessThanOrEqual(21);
  });
});

describe('what makes a test safe to look at', () => {
  const share = fc.double({ min: 0.01, max: 0.99, noNaN: true });
  const limit = fc.double({ min: 0.01, max: 0.99, noNaN: true });

  /** Expected factor of the evidence over one more observation whose distribution is given. */
  function expectedFactor<T>(test: SequentialTest<T>, past: readonly T[], outcomes: readonly [number, T][]): number {
    const before = evidence(test, past);
    return outcomes.reduce((sum, [p, next]) => sum + p * Math.exp(evidence(test, [...past, next]) - before), 0);
  }

  test('rate gate: at the tolerated ratio one more event is worth nothing, whatever came before', () => {
    fc.assert(
      fc.property(
        share,
        fc.double({ min: 1, max: 3, noNaN: true }),
        fc.array(fc.boolean(), { maxLength: 8 }),
        (p, r, seen) => {
          const past = seen.map((candidate) => ({ candidate, share: p }));
          const fromCandidate = (p * r) / (p * r + 1 - p);
          const outcomes: [number, RateEvent][] = [
            [fromCandidate, { candidate: true, share: p }],
            [1 - fromCandidate, { candidate: false, share: p }],
          ];
          expect(expectedFactor(rateHarmTest(r), past, outcomes)).toBeCloseTo(1, 9);
          expect(expectedFactor(rateSafetyTest(r), past, outcomes)).toBeCloseTo(1, 9);
        },
      ),
    );
  });

  test('absolute limits: exactly at the limit one more user is worth nothing, and no value ruins a bet', () => {
    fc.assert(
      fc.property(limit, fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 }), (m, past) => {
        for (const { harm, safety } of [rateLimitTests(m), scoreLimitTests(m)]) {
          for (const test of [harm, safety]) {
            const outcomes: [number, number][] = [
              [m, 1],
              [1 - m, 0],
            ];
            expect(expectedFactor(test, past, outcomes)).toBeCloseTo(1, 9);
            expect(Number.isFinite(evidence(test, past))).toBe(true);
          }
        }
      }),
    );
  });

  test('mean gates: no pair within the cap ruins a bet', () => {
    const pair = fc.record({
      candidate: fc.double({ min: 0, max: 50, noNaN: true }),
      stable: fc.double({ min: 0, max: 5, noNaN: true }),
    });
    const scored = fc.record({
      candidate: fc.double({ min: 0, max: 1, noNaN: true }),
      stable: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 20 }), fc.array(scored, { maxLength: 20 }), (pairs, scores) => {
        const options = { margin: 0.2, cap: 5 };
        for (const value of [
          evidence(costHarmTest(options), pairs),
          evidence(costSafetyTest(options), pairs),
          evidence(scoreHarmTest(0.02), scores),
          evidence(scoreSafetyTest(0.02), scores),
        ]) {
          expect(Number.isFinite(value)).toBe(true);
        }
      }),
    );
  });

  test('a stored state of another test is refused with both lengths', () => {
    expect(() => rateHarmTest().observe([0, 0], { candidate: true, share: 0.1 })).toThrow(
      /must have 12 numbers, got 2/,
    );
  });
});

test('the mean of exponentials does not overflow', () => {
  expect(logMeanExp([1_000, 1_000])).toBeCloseTo(1_000, 9);
  expect(logMeanExp([Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY])).toBe(Number.NEGATIVE_INFINITY);
  expect(geometricGrid(0.01, 0.95, 12)).toHaveLength(12);
});
