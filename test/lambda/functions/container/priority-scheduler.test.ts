import fc from 'fast-check';
import { PriorityScheduler } from '../../../../lambda/functions/container/priority-scheduler';
import { DEFAULT_PRIORITY_SHARES, PRIORITIES } from '../../../../lib/contract';

const shares = fc
  .tuple(fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 1, max: 1_000 }))
  .map(([high, normal, low]) => {
    const sum = high + normal + low;
    return { high: high / sum, normal: normal / sum, low: low / sum };
  });
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test('every queue is first in its share of the rounds, and waits for its turn no longer than its share says', () => {
  fc.assert(
    fc.property(shares, random, (given, start) => {
      const turns = new PriorityScheduler(given, () => start);
      const rounds = Math.max(200, ...Object.values(given).map((share) => Math.ceil(3 / share)));
      const first = Array.from({ length: rounds }, () => turns.next()[0]);
      for (const priority of PRIORITIES) {
        const at = first.flatMap((each, round) => (each === priority ? [round] : []));
        const longest = Math.max(...[...at, rounds].map((round, index) => round - (at[index - 1] ?? -1) - 1));
        expect(longest).toBeLessThan(Math.ceil(2 / given[priority]));
        expect(Math.abs(at.length - rounds * given[priority])).toBeLessThan(2);
      }
    }),
    { numRuns: 500 },
  );
});

test('a round asks every queue once: whose turn it is, then the others, most urgent first', () => {
  const turns = new PriorityScheduler(DEFAULT_PRIORITY_SHARES, () => 0);
  const rounds = Array.from({ length: 20 }, () => turns.next());
  const orders = new Set(rounds.map((round) => round.join()));
  expect(orders).toEqual(new Set(['high,normal,low', 'normal,high,low', 'low,high,normal']));
  expect(rounds.map(([first]) => first).filter((first) => first === 'high')).toHaveLength(10);
  expect(rounds.map(([first]) => first).filter((first) => first === 'low')).toHaveLength(3);
});

test('by the default shares the least urgent waits for six rounds at most', () => {
  const turns = new PriorityScheduler(DEFAULT_PRIORITY_SHARES, () => 0);
  const first = Array.from({ length: 2_000 }, () => turns.next()[0]).join();
  expect(Math.max(...first.split('low').map((between) => between.split(',').filter(Boolean).length))).toBe(6);
});

test('containers that begin together do not all have the same turn', () => {
  const begun = Array.from(
    { length: 20 },
    (_, index) => new PriorityScheduler(DEFAULT_PRIORITY_SHARES, () => index / 20).next()[0],
  );
  expect(new Set(begun)).toEqual(new Set(PRIORITIES));
});
