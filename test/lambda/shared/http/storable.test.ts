import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import fc from 'fast-check';
import { documentClient } from '../../../../lambda/shared/aws/clients/dynamodb';
import { childPath, findUnstorable, MAX_DEPTH } from '../../../../lambda/shared/http/storable';
import type { Json } from '../../../../lib/contract';
import { startDynamoDb } from '../../../support/local-dynamodb';

function nested(levels: number): Json {
  let value: Json = 'leaf';
  for (let level = 0; level < levels; level += 1) {
    value = level % 2 === 0 ? [value] : { a: value };
  }
  return value;
}

test('whatever is let through comes back from the store as it was', async () => {
  const dynamodb = await startDynamoDb(['values']);
  const client = documentClient(dynamodb.client);
  const Key = { pk: 'value', sk: 'value' };
  await fc.assert(
    fc.asyncProperty(fc.jsonValue({ maxDepth: 4 }), async (generated) => {
      const input = JSON.parse(JSON.stringify(generated)) as Json;
      fc.pre(findUnstorable(input) === undefined);
      await client.send(new PutCommand({ TableName: 'values', Item: { ...Key, input } }));
      const { Item } = await client.send(new GetCommand({ TableName: 'values', Key }));
      expect(Item?.input).toEqual(input);
    }),
  );
  await dynamodb.close();
});

test.each([
  ['an integer that JavaScript rounds', { a: [1, 2 ** 60] }, '$.a[1]'],
  ['a number too large', -1e300, '$'],
  ['a number too small', { 'b c': 1e-200 }, '$["b c"]'],
  ['a member without a name', { a: { '': 1 } }, '$.a'],
])('fails for %s, with its path', (_, value, path) => {
  expect(findUnstorable(value)).toMatchObject({ path });
});

test('the deepest nesting that is stored is let through', () => {
  expect(findUnstorable(nested(MAX_DEPTH))).toBeUndefined();
});

test.each([MAX_DEPTH + 1, 60_000])('fails for %d levels of nesting, without running out of stack', (levels) => {
  const value = JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`) as Json;
  expect(findUnstorable(value)?.message).toContain('must not be nested deeper');
});

test('paths are written as JSON paths', () => {
  expect(childPath('$', 'a')).toBe('$.a');
  expect(childPath('$.a', 3)).toBe('$.a[3]');
  expect(childPath('$', 'x"y')).toBe('$["x\\"y"]');
});
