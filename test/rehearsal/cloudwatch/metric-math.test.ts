import fc from 'fast-check';
import { evaluateMath, type Series } from '../../../rehearsal/services/cloudwatch/math-evaluator';
import { idsOf, MathError, parseMath } from '../../../rehearsal/services/cloudwatch/math-parser';

const _ = undefined;

function evaluate(expression: string, metrics: Readonly<Record<string, Series>>): Series {
  const length = Object.values(metrics)[0]?.length ?? 0;
  return evaluateMath(parseMath(expression), (id) => metrics[id], length);
}

describe('arithmetic', () => {
  test('multiplies before it adds, and goes by parentheses', () => {
    expect(evaluate('2 + m1 * 3', { m1: [1, 2] })).toEqual([5, 8]);
    expect(evaluate('(2 + m1) * 3', { m1: [1, 2] })).toEqual([9, 12]);
    expect(evaluate('10 - m1 - 1', { m1: [1, 2] })).toEqual([8, 7]);
    expect(evaluate('-m1 + 1.5e1', { m1: [1, 2] })).toEqual([14, 13]);
    expect(evaluate('2 * m1 ^ 2', { m1: [3, 4] })).toEqual([18, 32]);
  });

  test('between two metrics a missing value counts as 0, at times that either has', () => {
    expect(evaluate('a + b', { a: [1, _, 3, _], b: [10, 20, _, _] })).toEqual([11, 20, 3, _]);
  });

  test('with a number, a missing value stays missing', () => {
    expect(evaluate('a * 100', { a: [0.5, _] })).toEqual([50, _]);
  });

  test('a division by zero, or by a missing value, drops the data point', () => {
    expect(evaluate('a / b', { a: [1, 1, 1, _], b: [2, 0, _, 2] })).toEqual([0.5, _, _, 0]);
    expect(evaluate('a / 0', { a: [1] })).toEqual([_]);
  });
});

describe('comparison and logic, by the examples of the AWS document', () => {
  const metrics = { metric1: [30, 20, 0, 0], metric2: [20, _, 20, _] };
  test.each([
    ['metric1 < metric2', [0, 0, 1, 0]],
    ['metric1 >= 30', [1, 0, 0, 0]],
    ['metric1 > 15 AND metric2 > 15', [1, 0, 0, 0]],
    ['metric1 > 15 && metric2 > 15', [1, 0, 0, 0]],
    ['metric1 > 15 OR metric2 > 15', [1, 1, 1, 0]],
    ['metric1 > 25 || metric1 == 0', [1, 0, 1, 1]],
    ['metric1 != 20', [1, 0, 1, 1]],
  ])('%s', (expression, expected) => {
    expect(evaluate(expression, metrics)).toEqual(expected);
  });

  test('AND binds closer than OR', () => {
    expect(evaluate('a OR b AND c', { a: [1], b: [0], c: [0] })).toEqual([1]);
  });
});

describe('functions of several series, by the table of the AWS document', () => {
  const metrics = { a: [1, 5, _, _], b: [3, _, 2, _] };
  test.each([
    ['MAX([a, b])', [3, 5, 2, _]],
    ['MIN([a, b])', [1, 5, 2, _]],
    ['SUM([a, b])', [4, 5, 2, _]],
    // A value that is missing counts as 0.
    ['AVG([a, b])', [2, 2.5, 1, _]],
    ['MAX([FILL(a, 0), FILL(b, 0)]) + 1', [4, 6, 3, 1]],
    ['IF(MAX([a, b]) > 2 * 2, 1, 0)', [0, 1, 0, _]],
  ])('%s', (expression, expected) => {
    expect(evaluate(expression, metrics)).toEqual(expected);
  });

  test('of one series give one number for all times', () => {
    expect(evaluate('a - MAX(a)', { a: [1, 5, _, 3] })).toEqual([-4, 0, _, -2]);
    expect(evaluate('a / SUM(a)', { a: [1, 3] })).toEqual([0.25, 0.75]);
    expect(evaluate('MAX(a)', { a: [_, _] })).toEqual([_, _]);
  });

  test('refuse numbers in place of series', () => {
    expect(() => evaluate('MAX([a, 2])', { a: [1] })).toThrow('MAX needs time series, and got a number');
  });

  test('of one value each', () => {
    expect(evaluate('CEIL(a) + FLOOR(a) + ABS(a)', { a: [1.5, -1.5, _] })).toEqual([4.5, -1.5, _]);
  });

  test('name the ids that they use', () => {
    expect(idsOf(parseMath('MAX([a, FILL(b, 0)]) + CEIL(c)'))).toEqual(['a', 'b', 'c']);
  });
});

describe('IF, by the tables of the AWS document', () => {
  const metric1 = [1, 1, 0, 0, _];
  const metric2 = [30, _, 0, 0, 30];
  const metric3 = [0, 0, 20, _, 20];
  test.each([
    ['IF(metric1, metric2, metric3)', [30, 0, 20, _, _]],
    ['IF(metric1, 5, metric3)', [5, 5, 20, _, _]],
    ['IF(metric1, metric2, 5)', [30, 0, 5, 5, _]],
    ['IF(metric1, metric2)', [30, 0, _, _, _]],
    ['IF(1, metric2, metric3)', [30, _, 0, 0, 30]],
    ['IF(0, metric2)', [_, _, _, _, _]],
    ['IF(metric1 >= 1, 7, -7)', [7, 7, -7, -7, _]],
  ])('%s', (expression, expected) => {
    expect(evaluate(expression, { metric1, metric2, metric3 })).toEqual(expected);
  });
});

describe('FILL', () => {
  const m = [_, 1, _, _, 4, _];
  test('with a number fills every gap, a metric without any data included', () => {
    expect(evaluate('FILL(m, 0)', { m })).toEqual([0, 1, 0, 0, 4, 0]);
    expect(evaluate('FILL(m, 0)', { m: [_, _] })).toEqual([0, 0]);
  });
  test('REPEAT takes the value before, LINEAR the line between', () => {
    expect(evaluate('FILL(m, REPEAT)', { m })).toEqual([_, 1, 1, 1, 4, 4]);
    expect(evaluate('FILL(m, LINEAR)', { m })).toEqual([_, 1, 2, 3, 4, _]);
  });
  test('with another metric takes its values', () => {
    expect(evaluate('FILL(m, n)', { m, n: [9, 9, 9, _, 9, 9] })).toEqual([9, 1, 9, _, 4, 9]);
  });
});

describe('wrong expressions', () => {
  test.each([
    ['refuses a function it does not know, by name', 'STDDEV([m1, m2])', 'function STDDEV'],
    ['refuses a list outside of a function', '[m1, m2] * 2', 'expected a number, an id, a function or "("'],
    ['refuses a list that is not closed', 'MAX([m1, m2)', 'expected "]"'],
    ['refuses an array', '[m1, m2]', '"["'],
    ['fails on a missing operand', 'm1 + ', 'found the end'],
    ['fails on an open parenthesis', '(m1 + 1', '")"'],
    ['fails on two values in a row', 'm1 m2', 'an operator or the end'],
    ['refuses SEARCH', "SEARCH('x', 'Sum')", 'SEARCH'],
  ])('%s: %s', (_name, expression, message) => {
    expect(() => parseMath(expression)).toThrow(MathError);
    expect(() => parseMath(expression)).toThrow(message);
  });

  test('refuses an id that is not there', () => {
    expect(() => evaluate('m1 + gone', { m1: [1] })).toThrow('"gone"');
  });

  test('refuses a result that is one number', () => {
    expect(() => evaluate('1 + 2', { m1: [1] })).toThrow('time series');
  });
});

test('names the ids it uses', () => {
  expect([...idsOf(parseMath('IF(n >= 5, FILL(a, b) / c, -d)'))].sort()).toEqual(['a', 'b', 'c', 'd', 'n']);
});

const series = fc.array(fc.option(fc.integer({ min: -1000, max: 1000 }), { nil: undefined }), {
  minLength: 6,
  maxLength: 6,
});

test('sum and product do not depend on the order of the operands', () => {
  fc.assert(
    fc.property(series, series, (a, b) => {
      for (const operator of ['+', '*', 'AND', 'OR', '==']) {
        // + 0 turns the -0 of a product into 0.
        expect(evaluate(`(a ${operator} b) + 0`, { a, b })).toEqual(evaluate(`(b ${operator} a) + 0`, { a, b }));
      }
    }),
  );
});

test('a filled series has no gap, and keeps what it had', () => {
  fc.assert(
    fc.property(series, fc.integer({ min: -5, max: 5 }), (a, filler) => {
      const filled = evaluate(`FILL(a, ${filler})`, { a });
      expect(filled).toEqual(a.map((value) => value ?? filler));
    }),
  );
});

test('an expression has a data point only where one of its metrics has one', () => {
  fc.assert(
    fc.property(
      series,
      series,
      fc.constantFrom('a + b', 'a / b', 'a > b', 'IF(a > 0, b, a)', 'a * 2 - b'),
      (a, b, text) => {
        evaluate(text, { a, b }).forEach((value, slot) => {
          if (value !== undefined) {
            expect(a[slot] !== undefined || b[slot] !== undefined).toBe(true);
          }
        });
      },
    ),
  );
});
