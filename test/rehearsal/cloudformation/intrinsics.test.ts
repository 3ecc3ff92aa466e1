// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of Fn::Sub are written like that
import {
  referencesOf,
  resolve,
  resolveCondition,
  type Scope,
} from '../../../rehearsal/services/cloudformation/intrinsics';

const scope: Scope = {
  parameters: { Name: 'n', List: ['a', 'b'] },
  pseudo: { 'AWS::Region': 'us-east-1' },
  mappings: { M: { a: { x: 'value' } } },
  conditions: { Yes: true, No: false },
  ref: (id) => (id === 'Thing' ? 'thing-1' : undefined),
  attribute: (id, name) => (id === 'Thing' && name === 'Stream.Arn' ? 'arn:stream' : undefined),
};

test.each<[string, unknown, unknown]>([
  ['Ref of a resource', { Ref: 'Thing' }, 'thing-1'],
  ['Ref of a list parameter', { Ref: 'List' }, ['a', 'b']],
  ['GetAtt as list', { 'Fn::GetAtt': ['Thing', 'Stream.Arn'] }, 'arn:stream'],
  ['GetAtt as text', { 'Fn::GetAtt': 'Thing.Stream.Arn' }, 'arn:stream'],
  [
    'Sub with everything',
    { 'Fn::Sub': ['${Name}-${Thing.Stream.Arn}-${V}-${!Kept}-${AWS::Region}', { V: { Ref: 'Thing' } }] },
    'n-arn:stream-thing-1-${Kept}-us-east-1',
  ],
  ['Join over a resolved list', { 'Fn::Join': ['/', { Ref: 'List' }] }, 'a/b'],
  ['Join of numbers', { 'Fn::Join': ['', ['p', 5]] }, 'p5'],
  ['Select', { 'Fn::Select': ['1', { 'Fn::Split': [':', 'x:y:z'] }] }, 'y'],
  ['If', { 'Fn::If': ['No', 'a', { Ref: 'Name' }] }, 'n'],
  ['NoValue in a list', [1, { Ref: 'AWS::NoValue' }, 2], [1, 2]],
  ['NoValue as member', { a: { 'Fn::If': ['No', 1, { Ref: 'AWS::NoValue' }] }, b: 1 }, { b: 1 }],
  ['FindInMap', { 'Fn::FindInMap': ['M', 'a', 'x'] }, 'value'],
  ['Base64', { 'Fn::Base64': { 'Fn::Sub': '${Name}' } }, 'bg=='],
  ['Cidr', { 'Fn::Cidr': ['10.0.255.0/22', 3, 8] }, ['10.0.252.0/24', '10.0.253.0/24', '10.0.254.0/24']],
  ['GetAZs', { 'Fn::GetAZs': '' }, ['us-east-1a', 'us-east-1b', 'us-east-1c']],
  [
    'a Condition member of a policy',
    { Effect: 'Deny', Condition: { Bool: { x: 'false' } } },
    { Effect: 'Deny', Condition: { Bool: { x: 'false' } } },
  ],
  ['a lone Condition object', { Condition: { Bool: {} } }, { Condition: { Bool: {} } }],
])('%s', (_name, value, expected) => {
  expect(resolve(value, scope)).toEqual(expected);
});

test.each<[unknown, boolean]>([
  [{ 'Fn::Equals': [{ Ref: 'Name' }, 'n'] }, true],
  [{ 'Fn::And': [{ Condition: 'Yes' }, { 'Fn::Not': [{ Condition: 'No' }] }] }, true],
  [{ 'Fn::Or': [{ Condition: 'No' }, { 'Fn::Equals': ['1', 1] }] }, true],
  [{ 'Fn::Contains': [['a'], 'b'] }, false],
])('%j is %p', (value, expected) => {
  expect(resolveCondition(value, scope)).toBe(expected);
});

test.each<[unknown, string]>([
  [{ Ref: 'Gone' }, 'Ref Gone'],
  [{ 'Fn::GetAtt': ['Thing', 'Nope'] }, 'Thing.Nope'],
  [{ 'Fn::Select': [3, ['a']] }, 'no element 3'],
  [{ 'Fn::FindInMap': ['M', 'a', 'y'] }, 'M.a.y'],
  [{ 'Fn::Join': ['', 'text'] }, 'must be given a list'],
  [{ 'Fn::If': ['Never', 1, 2] }, 'condition Never'],
  [{ 'Fn::Cidr': ['10.0.0.0/24', 2, 8] }, '2 IPv4 blocks of 8 bits do not fit into 10.0.0.0/24'],
  [{ 'Fn::ToJsonString': [] }, 'not rehearsable: Fn::ToJsonString'],
])('refuses %j', (value, message) => {
  expect(() => resolve(value, scope)).toThrow(message);
});

test('references follow only the branch that holds', () => {
  const value = {
    a: { 'Fn::If': ['Yes', { Ref: 'A' }, { Ref: 'B' }] },
    b: { 'Fn::Sub': ['${C} ${D.Arn} ${!E} ${F}', { F: { 'Fn::GetAtt': 'G.Arn' } }] },
  };
  expect([...referencesOf(value, { Yes: true }).names].sort()).toEqual(['A', 'C', 'D', 'G']);
});
