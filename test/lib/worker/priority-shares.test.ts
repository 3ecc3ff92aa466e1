import fc from 'fast-check';
import { PRIORITIES } from '../../../lib/contract';
import type { PriorityShares } from '../../../lib/worker';
import { shareConcurrency } from '../../../lib/worker/priority-shares';
import { testStack } from '../../support/stack';

const scope = testStack();
const share = (maxConcurrency?: number, priorityShares?: PriorityShares) =>
  shareConcurrency(scope, {
    maxConcurrency,
    priorityShares,
  });

describe('shares of the priorities', () => {
  test.each([
    [undefined, undefined, { high: 50, normal: 35, low: 15 }],
    [6, undefined, { high: 2, normal: 2, low: 2 }],
    [10, undefined, { high: 5, normal: 3, low: 2 }],
    [1000, { high: 0.9, normal: 0.05, low: 0.05 }, { high: 900, normal: 50, low: 50 }],
    [12, { high: 0.98, normal: 0.01, low: 0.01 }, { high: 8, normal: 2, low: 2 }],
  ])('of %p tasks at once with %p', (maxConcurrency, shares, expected) => {
    expect(share(maxConcurrency, shares)).toEqual(expected);
  });

  test('always sum to the whole, starve none, and keep to what was asked for', () => {
    const weights = fc.tuple(
      fc.integer({ min: 1, max: 1000 }),
      fc.integer({ min: 1, max: 1000 }),
      fc.integer({ min: 1, max: 1000 }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 6, max: 1000 }), weights, (max, [a, b, c]) => {
        const sum = a + b + c;
        const shares = { high: a / sum, normal: b / sum, low: c / sum };
        const shared = share(max, shares);
        expect(shared.high + shared.normal + shared.low).toBe(max);
        for (const priority of PRIORITIES) {
          expect(shared[priority]).toBeGreaterThanOrEqual(2);
          // Farther off than rounding only to make room for the least that each must have.
          const off = Math.abs(shared[priority] - shares[priority] * max);
          expect(off).toBeLessThan(Object.values(shared).includes(2) ? 5 : 1.5);
        }
      }),
    );
  });

  test.each([
    [{ high: 0.5, normal: 0.5, low: 0 }, /must be numbers above 0 that sum to 1, .*low 0 with the sum 1$/],
    [{ high: 0.5, normal: 0.3, low: 0.3 }, /with the sum 1\.1$/],
    [{ high: 1.5, normal: -0.25, low: -0.25 }, /normal -0\.25/],
    [{ high: Number.NaN, normal: 0.5, low: 0.5 }, /high NaN/],
  ])('refuses %p', (shares, message) => {
    expect(() => share(100, shares)).toThrow(message);
    expect(() => share(100, shares)).toThrow(/^\[Test\] InvalidPriorityShares: priorityShares must be /);
  });
});
