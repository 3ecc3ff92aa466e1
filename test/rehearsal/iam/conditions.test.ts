import { compileConditions } from '../../../rehearsal/services/iam/conditions';

type Block = Readonly<Record<string, unknown>>;

function holds(block: Block, context: Readonly<Record<string, readonly string[]>>): boolean {
  return compileConditions(
    block,
    'test',
  )(new Map(Object.entries(context).map(([key, one]) => [key.toLowerCase(), one])));
}

const LEADING = 'dynamodb:LeadingKeys';

test.each<[string, Block, Record<string, string[]>, boolean]>([
  ['equal', { StringEquals: { k: 'a' } }, { k: ['a'] }, true],
  ['other', { StringEquals: { k: 'a' } }, { k: ['b'] }, false],
  ['one of several', { StringEquals: { k: ['a', 'b'] } }, { k: ['b'] }, true],
  ['key in other case', { StringEquals: { 'AWS:SourceArn': 'a' } }, { 'aws:sourceARN': ['a'] }, true],
  ['value in other case', { StringEquals: { k: 'A' } }, { k: ['a'] }, false],
  ['value in other case, ignored', { StringEqualsIgnoreCase: { k: 'A' } }, { k: ['a'] }, true],
  ['absent key', { StringEquals: { k: 'a' } }, {}, false],
  ['absent key, if exists', { StringEqualsIfExists: { k: 'a' } }, {}, true],
  ['present key, if exists', { StringEqualsIfExists: { k: 'a' } }, { k: ['b'] }, false],
  ['negated', { StringNotEquals: { k: ['a', 'b'] } }, { k: ['c'] }, true],
  ['negated, one of several', { StringNotEquals: { k: ['a', 'b'] } }, { k: ['b'] }, false],
  ['negated, absent key', { StringNotEquals: { k: 'a' } }, {}, true],
  ['wildcards', { StringLike: { k: 'a*c?' } }, { k: ['abbcd'] }, true],
  ['wildcards taken literally', { StringEquals: { k: 'a*' } }, { k: ['ab'] }, false],
  ['dot is no wildcard', { StringLike: { k: 'a.c' } }, { k: ['abc'] }, false],
  ['not like', { StringNotLike: { k: 'a*' } }, { k: ['ab'] }, false],
  ['ARN', { ArnLike: { k: 'arn:aws:sqs:*:*:q-*' } }, { k: ['arn:aws:sqs:us-east-1:1:q-1'] }, true],
  ['ARN equality has wildcards too', { ArnEquals: { k: 'arn:aws:s3:::b*' } }, { k: ['arn:aws:s3:::bucket'] }, true],
  ['ARN wildcard stays in its part', { ArnLike: { k: 'arn:aws:*:q' } }, { k: ['arn:aws:sqs:us-east-1:1:q'] }, false],
  ['ARN, negated', { ArnNotEquals: { k: 'arn:aws:sqs:*:*:q' } }, { k: ['arn:aws:sqs:r:1:q'] }, false],
  ['Bool', { Bool: { k: true } }, { k: ['true'] }, true],
  ['Bool as text', { Bool: { k: 'false' } }, { k: ['true'] }, false],
  ['Null: absent', { Null: { k: 'true' } }, {}, true],
  ['Null: present', { Null: { k: true } }, { k: ['a'] }, false],
  ['number', { NumericLessThanEquals: { k: 5 } }, { k: ['5'] }, true],
  ['number too large', { NumericLessThan: { k: '5' } }, { k: ['5'] }, false],
  ['all values', { 'ForAllValues:StringEquals': { [LEADING]: ['a', 'b'] } }, { [LEADING]: ['a', 'b'] }, true],
  ['all values, one other', { 'ForAllValues:StringEquals': { [LEADING]: 'a' } }, { [LEADING]: ['a', 'c'] }, false],
  ['all of no values', { 'ForAllValues:StringEquals': { [LEADING]: 'a' } }, {}, true],
  ['all values like', { 'ForAllValues:StringLike': { [LEADING]: 'RELEASE#*' } }, { [LEADING]: ['RELEASE#r-1'] }, true],
  ['any value', { 'ForAnyValue:StringEquals': { k: 'a' } }, { k: ['b', 'a'] }, true],
  ['any of no values', { 'ForAnyValue:StringEquals': { k: 'a' } }, {}, false],
  ['any of no values, negated', { 'ForAnyValue:StringNotEquals': { k: 'a' } }, {}, false],
  ['any of no values, if exists', { 'ForAnyValue:StringEqualsIfExists': { k: 'a' } }, {}, true],
  ['several values without a set operator', { StringEquals: { k: ['a', 'b'] } }, { k: ['a', 'b'] }, false],
  ['every operator and key must hold', { StringEquals: { k: 'a', l: 'b' } }, { k: ['a'], l: ['c'] }, false],
])('%s', (_, block, context, expected) => {
  expect(holds(block, context)).toBe(expected);
});

test('refuses an operator that it does not know, by name', () => {
  expect(() => holds({ DateGreaterThan: { 'aws:CurrentTime': '2030-01-01' } }, {})).toThrow(
    'not rehearsable: condition operator DateGreaterThan, used by test',
  );
});

test('refuses policy variables', () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a policy variable is written like that
  const block = { StringEquals: { k: '${aws:username}' } };
  expect(() => holds(block, {})).toThrow(/not rehearsable: policy variable in ".*username.*", used by test/);
});

test.each([{ StringEquals: 'k' }, { StringEquals: { k: { nested: 1 } } }])(
  'refuses what is no condition: %j',
  (block) => {
    expect(() => holds(block, {})).toThrow(/^test: Condition\.StringEquals/);
  },
);
