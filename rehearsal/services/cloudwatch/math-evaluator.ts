import { type BinaryOperator, type EachFunction, MathError, type MathNode, type OverFunction } from './math-parser';

/** Values of one metric, a slot per period; undefined where there is no data point. */
export type Series = readonly (number | undefined)[];

type Value = number | Series;

/**
 * Evaluates an expression over series of equal length.
 *
 * Missing data as AWS documents it: between two series a missing value counts as 0 at every time that either has one;
 * a division by zero drops the data point; a condition without a value drops it; `IF` gives 0 where the condition holds
 * and its second argument has no value; a mean over a list of series counts a missing value as 0.
 * Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
 *
 * @throws MathError for an unknown id, or a result that is one number for all times
 */
export function evaluateMath(node: MathNode, lookup: (id: string) => Series | undefined, length: number): Series {
  const result = compute(node, lookup, length);
  if (typeof result === 'number') {
    throw new MathError('metric math must give a time series, and this expression gives a single number');
  }
  return result;
}

function compute(node: MathNode, lookup: (id: string) => Series | undefined, length: number): Value {
  switch (node.kind) {
    case 'number':
      return node.value;
    case 'id': {
      const series = lookup(node.id);
      if (series === undefined) {
        throw new MathError(
          `metric math uses the id "${node.id}", which names no metric or expression of this request`,
        );
      }
      return series;
    }
    case 'negate': {
      const operand = compute(node.operand, lookup, length);
      return typeof operand === 'number'
        ? -operand
        : operand.map((value) => (value === undefined ? undefined : -value));
    }
    case 'binary':
      return binary(node.operator, compute(node.left, lookup, length), compute(node.right, lookup, length));
    case 'if':
      return choose(
        compute(node.condition, lookup, length),
        compute(node.then, lookup, length),
        node.otherwise === undefined ? undefined : compute(node.otherwise, lookup, length),
        length,
      );
    case 'fill': {
      const series = compute(node.series, lookup, length);
      if (typeof series === 'number') {
        throw new MathError('FILL needs a time series as its first argument, and got a number');
      }
      return fill(series, typeof node.filler === 'string' ? node.filler : compute(node.filler, lookup, length));
    }
    case 'each': {
      const operand = compute(node.operand, lookup, length);
      return typeof operand === 'number'
        ? single(node.name, operand)
        : operand.map((value) => (value === undefined ? undefined : single(node.name, value)));
    }
    case 'over': {
      const operands = node.operands.map((operand) => compute(operand, lookup, length));
      const series = operands.filter((operand) => typeof operand !== 'number');
      if (series.length < operands.length) {
        throw new MathError(`${node.name} needs time series, and got a number`);
      }
      return node.list ? acrossSeries(node.name, series, length) : overTime(node.name, series[0] ?? []);
    }
  }
}

function single(name: EachFunction, value: number): number {
  switch (name) {
    case 'ABS':
      return Math.abs(value);
    case 'CEIL':
      return Math.ceil(value);
    case 'FLOOR':
      return Math.floor(value);
  }
}

/** A series of what the function gives for the values of all series at each time. */
function acrossSeries(name: OverFunction, series: readonly Series[], length: number): Series {
  return Array.from({ length }, (_, slot) => {
    const values = series.map((one) => one[slot]).filter((value) => value !== undefined);
    // For a mean, a value that is missing is 0.
    return values.length === 0 ? undefined : reduced(name, values, series.length);
  });
}

/** One number for all times: what it is depends on how many data points an alarm looks at. */
function overTime(name: OverFunction, series: Series): Value {
  const values = series.filter((value) => value !== undefined);
  return values.length === 0 ? series : reduced(name, values, values.length);
}

function reduced(name: OverFunction, values: readonly number[], count: number): number {
  const sum = values.reduce((a, b) => a + b, 0);
  switch (name) {
    case 'AVG':
      return sum / count;
    case 'MAX':
      return values.reduce((a, b) => Math.max(a, b));
    case 'MIN':
      return values.reduce((a, b) => Math.min(a, b));
    case 'SUM':
      return sum;
  }
}

function binary(operator: BinaryOperator, left: Value, right: Value): Value {
  if (typeof left === 'number' && typeof right === 'number') {
    const result = apply(operator, left, right);
    if (result === undefined) {
      throw new MathError(`metric math divides the number ${left} by zero`);
    }
    return result;
  }
  const length = typeof left === 'number' ? (typeof right === 'number' ? 0 : right.length) : left.length;
  return Array.from({ length }, (_, slot) => {
    const a = typeof left === 'number' ? left : left[slot];
    const b = typeof right === 'number' ? right : right[slot];
    const hasData = (typeof left !== 'number' && a !== undefined) || (typeof right !== 'number' && b !== undefined);
    return hasData ? apply(operator, a ?? 0, b ?? 0) : undefined;
  });
}

function apply(operator: BinaryOperator, a: number, b: number): number | undefined {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return b === 0 ? undefined : a / b;
    case '^': {
      const power = a ** b;
      return Number.isFinite(power) ? power : undefined;
    }
    case '<':
      return Number(a < b);
    case '<=':
      return Number(a <= b);
    case '>':
      return Number(a > b);
    case '>=':
      return Number(a >= b);
    case '==':
      return Number(a === b);
    case '!=':
      return Number(a !== b);
    case 'AND':
      return Number(a !== 0 && b !== 0);
    case 'OR':
      return Number(a !== 0 || b !== 0);
  }
}

function choose(condition: Value, then: Value, otherwise: Value | undefined, length: number): Value {
  if (typeof condition === 'number') {
    return (condition === 0 ? otherwise : then) ?? Array.from({ length }, () => undefined);
  }
  return condition.map((value, slot) => {
    if (value === undefined) {
      return undefined;
    }
    if (value !== 0) {
      return at(then, slot) ?? 0;
    }
    return otherwise === undefined ? undefined : at(otherwise, slot);
  });
}

function at(value: Value, slot: number): number | undefined {
  return typeof value === 'number' ? value : value[slot];
}

function fill(series: Series, filler: Value | 'REPEAT' | 'LINEAR'): Series {
  if (filler === 'REPEAT') {
    let last: number | undefined;
    return series.map((value) => {
      last = value ?? last;
      return last;
    });
  }
  if (filler === 'LINEAR') {
    return series.map((value, slot) => value ?? interpolated(series, slot));
  }
  return series.map((value, slot) => value ?? at(filler, slot));
}

function interpolated(series: Series, slot: number): number | undefined {
  let before = slot;
  while (before >= 0 && series[before] === undefined) {
    before--;
  }
  let after = slot;
  while (after < series.length && series[after] === undefined) {
    after++;
  }
  const from = series[before];
  const to = series[after];
  return from === undefined || to === undefined ? undefined : from + ((to - from) * (slot - before)) / (after - before);
}
