import fc from 'fast-check';

import { isLetThrough, USER_BUCKETS, valveBucketOf } from '../../lib/contract';

const anything = fc.string({ unit: 'grapheme' });
const weights = fc.double({ min: 0, max: 1, noNaN: true });

test('a bucket is an integer below the number of buckets', () => {
  fc.assert(
    fc.property(anything, anything, anything, (agent, version, user) => {
      const bucket = valveBucketOf(agent, version, user);
      expect(Number.isInteger(bucket)).toBe(true);
      expect(bucket).toBeGreaterThanOrEqual(0);
      expect(bucket).toBeLessThan(USER_BUCKETS);
    }),
  );
});

test('a growing weight keeps the users that it has', () => {
  fc.assert(
    fc.property(fc.nat(USER_BUCKETS - 1), weights, weights, (bucket, a, b) => {
      const [less, more] = a < b ? [a, b] : [b, a];
      expect(isLetThrough(less, bucket) && !isLetThrough(more, bucket)).toBe(false);
    }),
  );
});

test('a closed valve selects no user, an open one every user', () => {
  for (const bucket of [0, 1, USER_BUCKETS - 1]) {
    expect(isLetThrough(0, bucket)).toBe(false);
    expect(isLetThrough(1, bucket)).toBe(true);
  }
});

test('every whole percent lets through exactly its share of the buckets', () => {
  for (let percent = 0; percent <= 100; percent += 1) {
    const through = Array.from({ length: USER_BUCKETS }, (_, bucket) => bucket).filter((bucket) =>
      isLetThrough(percent / 100, bucket),
    );
    expect(through).toHaveLength(percent * (USER_BUCKETS / 100));
  }
});

test('the share of users that is let through is the weight, within five standard deviations', () => {
  const users = 20_000;
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 99 }), fc.nat(10_000), (percent, version) => {
      const weight = percent / 100;
      let through = 0;
      for (let user = 0; user < users; user += 1) {
        through += isLetThrough(weight, valveBucketOf('support', String(version), `user-${user}`)) ? 1 : 0;
      }
      const deviation = Math.sqrt(users * weight * (1 - weight));
      expect(Math.abs(through - users * weight)).toBeLessThan(5 * deviation);
    }),
    { numRuns: 10 },
  );
});

test('another shift lets other users through', () => {
  const users = Array.from({ length: 10_000 }, (_, user) => `user-${user}`);
  const first = users.filter((user) => isLetThrough(0.1, valveBucketOf('support', '7', user)));
  const again = first.filter((user) => isLetThrough(0.1, valveBucketOf('support', '8', user)));
  expect(again.length / first.length).toBeGreaterThan(0.05);
  expect(again.length / first.length).toBeLessThan(0.15);
});

test('the bucket is the same for all time: recorded values', () => {
  expect(['user-1', 'user-2', 'Zoë', ''].map((user) => valveBucketOf('support', '2', user))).toMatchInlineSnapshot(`
[
  7584,
  7912,
  703,
  1356,
]
`);
});
