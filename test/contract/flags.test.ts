import * as fc from 'fast-check';
import {
  type Flag,
  flagDimension,
  flagsDocumentSchema,
  flagValueFor,
  USER_BUCKETS,
  userBucketOf,
} from '../../lib/contract';

const flagOf = (percent: number, users?: string[]): Flag => ({
  default: false,
  variant: true,
  percent,
  users,
});

const user = fc.string({ minLength: 1 });
const percent = fc.double({ min: 0, max: 100, noNaN: true });

describe('the share of a flag', () => {
  test('a growing share keeps the users that it has', () => {
    fc.assert(
      fc.property(user, percent, percent, (who, a, b) => {
        const [less, more] = a < b ? [a, b] : [b, a];
        return flagValueFor('f', flagOf(less), who) === false || flagValueFor('f', flagOf(more), who) === true;
      }),
    );
  });

  test('a share of 0 selects no user, one of 100 every user', () => {
    fc.assert(fc.property(user, (who) => flagValueFor('f', flagOf(0), who) === false));
    fc.assert(fc.property(user, (who) => flagValueFor('f', flagOf(100), who) === true));
  });

  test('is hit to within four standard deviations, and by other users for another flag', () => {
    const users = Array.from({ length: 10_000 }, (_, n) => `user-${n}`);
    const inA = users.filter((who) => flagValueFor('a', flagOf(20), who) === true);
    expect(Math.abs(inA.length - 2_000)).toBeLessThan(4 * Math.sqrt(10_000 * 0.2 * 0.8));
    const inBoth = inA.filter((who) => flagValueFor('b', flagOf(20), who) === true);
    expect(Math.abs(inBoth.length - inA.length * 0.2)).toBeLessThan(4 * Math.sqrt(inA.length * 0.2 * 0.8));
  });

  test('is measured in whole buckets, whatever floating point makes of it', () => {
    const [inside, outside] = [6, 7].map((bucket) => {
      for (let n = 0; ; n += 1) {
        if (userBucketOf(['f'], `u${n}`) === bucket) {
          return `u${n}`;
        }
      }
    });
    expect((0.07 * USER_BUCKETS) / 100).not.toBe(7);
    expect(flagValueFor('f', flagOf(0.07), String(inside))).toBe(true);
    expect(flagValueFor('f', flagOf(0.07), String(outside))).toBe(false);
  });

  test('leaves users who are named where they are named', () => {
    expect(flagValueFor('f', flagOf(0, ['ann']), 'ann')).toBe(true);
    expect(flagValueFor('f', flagOf(0, ['ann']), 'bob')).toBe(false);
  });
});

test('the bucket of a user is the same in every version of the library: shares must not jump', () => {
  expect([userBucketOf(['newSearch'], 'ann'), userBucketOf(['newSearch'], 'bob')]).toMatchInlineSnapshot(`
[
  4265,
  7327,
]
`);
});

test('a dimension names flag and value', () => {
  expect([true, 3, 'short'].map((value) => flagDimension('f', value))).toEqual(['f=true', 'f=3', 'f=short']);
});

test.each([
  ['a name that is none', { 'no name': flagOf(1) }],
  ['a share above 100', { f: flagOf(101) }],
  ['a text that cannot be a dimension', { f: { default: 'a', variant: 'ü', percent: 1 } }],
  ['an unknown member', { f: { ...flagOf(1), from: 'monday' } }],
])('refuses a document with %s', (_, document) => {
  expect(flagsDocumentSchema.safeParse(document).success).toBe(false);
});
