import fc from 'fast-check';
import { equalJitterMs, fullJitterMs } from '../../../lambda/shared/backoff';
import { RETRY_BACKOFF_MS } from '../../../lib/contract';

const { first, longest } = RETRY_BACKOFF_MS;
const below1 = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test.each([
  [1, first],
  [2, 2 * first],
  [3, 4 * first],
  [8, 128 * first],
  [9, longest],
  [1_000, longest],
])('the bound of repetition %i is %i ms', (n, bound) => {
  expect(fullJitterMs(n, 0, RETRY_BACKOFF_MS)).toBe(0);
  expect(fullJitterMs(n, 0.5, RETRY_BACKOFF_MS)).toBe(bound / 2);
});

test('is never longer than the longest, and never shorter than what the other side asked for', () => {
  fc.assert(
    fc.property(fc.nat(10_000), below1, fc.nat(1_000_000), (n, random, asked) => {
      const milliseconds = fullJitterMs(n, random, RETRY_BACKOFF_MS, asked);
      expect(milliseconds).toBeGreaterThanOrEqual(asked);
      expect(milliseconds).toBeLessThanOrEqual(asked + longest);
    }),
  );
});

test('equal jitter stays between half of the bound and the bound', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10_000 }), below1, (n, random) => {
      const bound = Math.min(longest, first * 2 ** Math.min(n - 1, 40));
      const milliseconds = equalJitterMs(n, random, RETRY_BACKOFF_MS);
      expect(milliseconds).toBeGreaterThanOrEqual(bound / 2);
      expect(milliseconds).toBeLessThanOrEqual(bound);
    }),
  );
});
