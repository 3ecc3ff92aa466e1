import { ResourceFailure } from '../../core/resource';

/** Condition keys of a call with their values, by lower-case key. */
export type ConditionContext = ReadonlyMap<string, readonly string[]>;

export type Condition = (context: ConditionContext) => boolean;

type Test = (actual: string, expected: string) => boolean;

interface Operator {
  readonly test: Test;
  readonly negated: boolean;
}

const equals: Test = (actual, expected) => actual === expected;
const equalsIgnoringCase: Test = (actual, expected) => actual.toLowerCase() === expected.toLowerCase();
const like: Test = (actual, expected) => wildcard(expected).test(actual);

/** Each of the six parts of an ARN is matched by itself; a `*` does not reach over a colon, except in the last one. */
const arnLike: Test = (actual, expected) => {
  const [actualParts, expectedParts] = [arnParts(actual), arnParts(expected)];
  if (actualParts.length !== 6 || expectedParts.length !== 6) return expected === '*';
  return expectedParts.every((part, index) => wildcard(part).test(actualParts[index] ?? ''));
};

function arnParts(arn: string): string[] {
  const parts = arn.split(':');
  return parts.length <= 6 ? parts : [...parts.slice(0, 5), parts.slice(5).join(':')];
}

function numeric(compare: (actual: number, expected: number) => boolean): Test {
  return (actual, expected) => compare(Number(actual), Number(expected));
}

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html */
const OPERATORS: Readonly<Record<string, Operator>> = {
  StringEquals: { test: equals, negated: false },
  StringNotEquals: { test: equals, negated: true },
  StringEqualsIgnoreCase: { test: equalsIgnoringCase, negated: false },
  StringNotEqualsIgnoreCase: { test: equalsIgnoringCase, negated: true },
  StringLike: { test: like, negated: false },
  StringNotLike: { test: like, negated: true },
  ArnEquals: { test: arnLike, negated: false },
  ArnNotEquals: { test: arnLike, negated: true },
  ArnLike: { test: arnLike, negated: false },
  ArnNotLike: { test: arnLike, negated: true },
  Bool: { test: equalsIgnoringCase, negated: false },
  NumericEquals: { test: numeric((a, b) => a === b), negated: false },
  NumericNotEquals: { test: numeric((a, b) => a === b), negated: true },
  NumericLessThan: { test: numeric((a, b) => a < b), negated: false },
  NumericLessThanEquals: { test: numeric((a, b) => a <= b), negated: false },
  NumericGreaterThan: { test: numeric((a, b) => a > b), negated: false },
  NumericGreaterThanEquals: { test: numeric((a, b) => a >= b), negated: false },
};

const OPERATOR_NAME = /^(?:(ForAllValues|ForAnyValue):)?(\w+?)(IfExists)?$/;

/**
 * Compiles a statement's `Condition`: every operator and key must hold.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-logic-multiple-context-keys-or-values.html
 * @throws ResourceFailure on an operator that is not rehearsable.
 */
export function compileConditions(block: Readonly<Record<string, unknown>>, place: string): Condition {
  const conditions = Object.entries(block).flatMap(([name, keys]) => {
    if (typeof keys !== 'object' || keys === null || Array.isArray(keys)) {
      throw new ResourceFailure(`${place}: Condition.${name}: expected an object of condition keys`);
    }
    return Object.entries(keys).map(([key, value]) => compileOne(name, key, value, place));
  });
  return (context) => conditions.every((condition) => condition(context));
}

function compileOne(name: string, key: string, value: unknown, place: string): Condition {
  const expected = conditionValues(value, `${place}: Condition.${name}.${key}`);
  const keyName = key.toLowerCase();
  const [, set, base = '', ifExists] = OPERATOR_NAME.exec(name) ?? [];
  if (base === 'Null' && set === undefined) {
    return (context) => expected.includes(String((context.get(keyName) ?? []).length === 0));
  }
  const operator = OPERATORS[base];
  if (operator === undefined) {
    throw new ResourceFailure(`not rehearsable: condition operator ${name}, used by ${place}`);
  }
  // Several expected values: one must match; with a negated operator none may.
  const holds = (actual: string) => expected.some((one) => operator.test(actual, one)) !== operator.negated;
  return (context) => {
    const actual = context.get(keyName) ?? [];
    if (set === 'ForAllValues') return actual.every(holds);
    if (actual.length === 0) return ifExists !== undefined || (operator.negated && set === undefined);
    if (set === 'ForAnyValue') return actual.some(holds);
    // A key with several values needs a set operator; without one only a single value can match.
    return actual.length === 1 && actual.every(holds);
  };
}

function conditionValues(value: unknown, place: string): readonly string[] {
  return (Array.isArray(value) ? value : [value]).map((item: unknown) => {
    if (typeof item !== 'string' && typeof item !== 'number' && typeof item !== 'boolean') {
      throw new ResourceFailure(`${place}: got ${JSON.stringify(item)}, expected a string, number or boolean`);
    }
    return withoutVariables(String(item), place);
  });
}

/** @throws ResourceFailure if the text has a policy variable: none is rehearsable. */
export function withoutVariables(text: string, place: string): string {
  if (text.includes('${')) throw new ResourceFailure(`not rehearsable: policy variable in "${text}", used by ${place}`);
  return text;
}

const compiled = new Map<string, RegExp>();

/** A pattern with `*` (any text) and `?` (one character), anchored. Compiled once per pattern. */
export function wildcard(pattern: string, flags: '' | 'i' = ''): RegExp {
  const key = `${flags}/${pattern}`;
  let expression = compiled.get(key);
  if (expression === undefined) {
    const source = pattern
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.');
    expression = new RegExp(`^${source}$`, `s${flags}`);
    compiled.set(key, expression);
  }
  return expression;
}
