import fc from 'fast-check';
import { backoffMs } from '../../../lambda/worker/backoff';
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
  expect(backoffMs(n, 0)).toBe(0);
  expect(backoffMs(n, 0.5)).toBe(bound / 2);
});

test('is never longer than the longest, and never shorter than what the other side asked for', () => {
  fc.assert(
    fc.property(fc.nat(10_000), below1, fc.nat(1_000_000), (n, random, asked) => {
      const milliseconds = backoffMs(n, random, asked);
      expect(milliseconds).toBeGreaterThanOrEqual(asked);
      expect(milliseconds).toBeLessThanOrEqual(asked + longest);
    }),
  );
});
