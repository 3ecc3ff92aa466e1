import { put, thing, world } from './support';

const TOKEN = 'arn:aws:lambda:us-east-1:123456789012:function:maker';
const custom = (properties: Record<string, unknown> = {}, attributes: Record<string, unknown> = {}) => ({
  Type: 'Custom::Maker',
  Properties: { ServiceToken: TOKEN, ...properties },
  ...attributes,
});

function eventOf(w: ReturnType<typeof world>, index = -1): Record<string, unknown> {
  return JSON.parse(w.invocations.at(index)?.payload ?? '{}');
}

test('is invoked asynchronously with every property as text, and its data are attributes', async () => {
  const w = world();
  w.answerWith(() => ({ PhysicalResourceId: 'made', Data: { Version: '7', 'A.B': 1 } }));
  const result = await w.deploy(
    {
      A: custom({ Number: 5, Flag: true, Deep: { List: [1, false] }, ServiceTimeout: 60 }),
      B: thing({ Value: { 'Fn::GetAtt': ['A', 'A.B'] } }),
    },
    { Outputs: { Version: { Value: { 'Fn::GetAtt': 'A.Version' } }, Id: { Value: { Ref: 'A' } } } },
  );
  expect(result.outputs).toEqual({ Version: '7', Id: 'made' });
  expect(w.invocations[0]).toMatchObject({ function: TOKEN, type: 'Event' });
  expect(eventOf(w)).toMatchObject({
    RequestType: 'Create',
    ResourceType: 'Custom::Maker',
    LogicalResourceId: 'A',
    ResourceProperties: { Number: '5', Flag: 'true', Deep: { List: ['1', 'false'] }, ServiceTimeout: '60' },
  });
  expect(eventOf(w)).not.toHaveProperty('PhysicalResourceId');
});

test('gets the old properties on update, and its own id', async () => {
  const w = world();
  await w.deploy({ A: custom({ Value: 1 }) });
  const result = await w.deploy({ A: custom({ Value: 2 }) });
  expect(result).toMatchObject({ status: 'UPDATE_COMPLETE', changes: [{ action: 'update', replaced: false }] });
  expect(eventOf(w)).toMatchObject({
    RequestType: 'Update',
    PhysicalResourceId: 'A-custom',
    ResourceProperties: { Value: '2' },
    OldResourceProperties: { Value: '1' },
  });
});

test('with another id is replaced: the old one gets a Delete in the clean-up', async () => {
  const w = world();
  await w.deploy({ A: custom({ Value: 1 }) });
  w.takeLog();
  w.answerWith((event) => (event.RequestType === 'Update' ? { PhysicalResourceId: 'second' } : {}));
  const result = await w.deploy({ A: custom({ Value: 2 }), B: thing({}, { DependsOn: 'A' }) });
  expect(w.log).toEqual(['Update A A-custom', 'create B', 'Delete A A-custom']);
  expect(result.changes[0]).toMatchObject({ logicalId: 'A', action: 'replace', replaced: true });
});

test('with another id in an update that fails is rolled back, and the new one gets a Delete', async () => {
  const w = world();
  await w.deploy({ A: custom({ Value: 1 }) });
  w.takeLog();
  w.answerWith((event) => {
    const properties = event.ResourceProperties as Record<string, string>;
    return event.RequestType === 'Update'
      ? { PhysicalResourceId: properties.Value === '2' ? 'second' : 'A-custom' }
      : {};
  });
  w.behave((operation) => {
    if (operation === 'create') {
      throw new Error('it broke');
    }
  });
  const result = await w.deploy({ A: custom({ Value: 2 }), B: thing({}, { DependsOn: 'A' }) });
  expect(result.status).toBe('UPDATE_ROLLBACK_COMPLETE');
  expect(w.log).toEqual(['Update A A-custom', 'create B', 'Update A second', 'Delete A second']);
  expect(w.engine.resources('Test')).toMatchObject([{ logicalId: 'A', physicalId: 'A-custom' }]);
});

test('that fails an update gets its old properties again', async () => {
  const w = world();
  await w.deploy({ A: custom({ Value: 1 }) });
  w.takeLog();
  w.answerWith((event) => {
    const properties = event.ResourceProperties as Record<string, string>;
    return properties.Value === '2' ? { Status: 'FAILED', Reason: 'not today' } : {};
  });
  const result = await w.deploy({ A: custom({ Value: 2 }) });
  expect(result).toMatchObject({ status: 'UPDATE_ROLLBACK_COMPLETE', reason: expect.stringContaining('not today') });
  expect(w.log).toEqual(['Update A A-custom', 'Update A A-custom']);
  expect(eventOf(w)).toMatchObject({ ResourceProperties: { Value: '1' }, OldResourceProperties: { Value: '2' } });
});

test('that fails to be created gets a Delete', async () => {
  const w = world();
  w.answerWith((event) =>
    event.RequestType === 'Create' ? { Status: 'FAILED', Reason: 'no', PhysicalResourceId: 'half' } : {},
  );
  const result = await w.deploy({ A: custom() });
  expect(result).toMatchObject({ status: 'ROLLBACK_COMPLETE', reason: expect.stringContaining('no') });
  expect(w.log).toEqual(['Create A', 'Delete A half']);
});

test('fails when it does not report in time', async () => {
  const w = world();
  w.answerWith((event) => (event.RequestType === 'Create' ? undefined : {}));
  const running = w.deploy({ A: custom({ ServiceTimeout: '300' }) });
  let done = false;
  running.then(() => {
    done = true;
  });
  await w.clock.advance(299_999);
  expect(done).toBe(false);
  await w.clock.advance(1);
  await expect(running).resolves.toMatchObject({
    status: 'ROLLBACK_COMPLETE',
    reason: expect.stringContaining('did not receive a response from your Custom Resource within 300 s'),
  });
  expect(w.clock.timers).toBe(0);
});

test.each([
  ['is no JSON', 'hello', 'not JSON'],
  ['is too long', JSON.stringify({ Data: { Text: 'x'.repeat(4096) } }), 'too long'],
  [
    'is of another request',
    JSON.stringify({ Status: 'SUCCESS', PhysicalResourceId: 'x', RequestId: 'other' }),
    'RequestId',
  ],
  ['has no status', JSON.stringify({ PhysicalResourceId: 'x', RequestId: 'other' }), 'Status'],
])('fails when the reply %s', async (_name, body, reason) => {
  const w = world();
  w.answerWith((event) => (event.RequestType === 'Create' ? body : {}));
  await expect(w.deploy({ A: custom() })).resolves.toMatchObject({
    status: 'ROLLBACK_COMPLETE',
    reason: expect.stringContaining(reason),
  });
});

test.each([
  ['a topic as service token', { ServiceToken: 'arn:aws:sns:us-east-1:123456789012:t' }, 'ServiceToken'],
  ['a timeout of more than an hour', { ServiceTimeout: 3601 }, 'ServiceTimeout'],
])('refuses %s', async (_name, properties, reason) => {
  const w = world();
  await expect(w.deploy({ A: custom(properties) })).resolves.toMatchObject({
    reason: expect.stringContaining(reason),
  });
});

test('a second reply, another method and an unknown address are refused', async () => {
  const { replies } = world();
  const box = replies.open();
  expect(put(replies, box.url, '{}', 'POST')).toBe(403);
  expect(put(replies, `${box.url}x`, '{}')).toBe(403);
  expect(put(replies, box.url, '{}')).toBe(200);
  expect(put(replies, box.url, '{}')).toBe(403);
  await expect(box.reply).resolves.toEqual({ body: '{}' });
});
