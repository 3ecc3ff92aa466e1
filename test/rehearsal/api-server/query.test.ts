import { decodeQuery, encodeQuery } from '../../../rehearsal/api-server/query';

test('a form becomes structures, lists in their order, and maps under either name of their keys', () => {
  const form = new URLSearchParams([
    ['Action', 'Publish'],
    ['Version', '2010-03-31'],
    ['Message', 'a b&c'],
    ['Tags.member.10.Key', 'j'],
    ['Tags.member.2.Key', 'b'],
    ['MessageAttributes.entry.1.Name', 'kind'],
    ['MessageAttributes.entry.1.Value.DataType', 'String'],
    ['Attributes.entry.1.key', 'DisplayName'],
    ['Attributes.entry.1.value', 'd'],
  ]);
  expect(decodeQuery(form.toString())).toEqual({
    operation: 'Publish',
    input: {
      Message: 'a b&c',
      Tags: [{ Key: 'b' }, { Key: 'j' }],
      MessageAttributes: { kind: { DataType: 'String' } },
      Attributes: { DisplayName: 'd' },
    },
  });
});

test('a form without an action is no request', () => {
  expect(decodeQuery('Version=1')).toBeUndefined();
});

test('an answer is XML with members, entries and escapes', () => {
  const output = { List: ['a', { B: 1 }], Map: new Map([['k', '<v>']]), When: new Date(0), Absent: undefined };
  expect(encodeQuery('Get', output, 'id-1', 'urn:x')).toBe(
    '<?xml version="1.0"?>\n<GetResponse xmlns="urn:x"><GetResult>' +
      '<List><member>a</member><member><B>1</B></member></List>' +
      '<Map><entry><key>k</key><value>&lt;v&gt;</value></entry></Map>' +
      '<When>1970-01-01T00:00:00.000Z</When>' +
      '</GetResult><ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></GetResponse>',
  );
});
