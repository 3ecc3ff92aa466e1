import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { documentClient } from '../../../../lambda/shared/aws/clients/dynamodb';
import { RoutingRepository, RoutingUnreadableError } from '../../../../lambda/shared/routing/routing-repository';
import { ControlKey, type RolloutItem, type ValveItem } from '../../../../lib/contract';
import { type LocalDynamoDb, startDynamoDb } from '../../../support/local-dynamodb';

const target = { release: 'r-000000000001', workerVersion: '1', routerVersion: '1' };
const rollout = { id: 'rollout-1', target, status: 'in_progress', startedAt: 1 } as const satisfies RolloutItem;
const valve: ValveItem = {
  rolloutId: 'rollout-1',
  current: { version: '1', shift: { version: '2', weight: 0.5 } },
  previous: { version: '1' },
  effectiveAt: 1,
  checkedAt: 1,
  sequence: 0,
};

let dynamodb: LocalDynamoDb;
let routing: RoutingRepository;

beforeEach(async () => {
  dynamodb = await startDynamoDb(['control']);
  routing = new RoutingRepository(documentClient(dynamodb.client), 'control');
});
afterEach(() => dynamodb.close());

test('reads nothing from an empty table', async () => {
  await expect(routing.readRouting()).resolves.toEqual({});
  await expect(routing.readRollout()).resolves.toBeUndefined();
});

test('reads what was written, all at once and one by one', async () => {
  const promoted = { target, promotedAt: 2 };
  await routing.promote(promoted);
  await routing.startRollout(rollout);
  await expect(routing.writeValve(valve, undefined)).resolves.toBe(true);
  await expect(routing.readRouting()).resolves.toEqual({ promoted, rollout, valve });
  await routing.endRollout({ ...rollout, status: 'rolled_back', endedAt: 3, revoked: true });
  await expect(routing.readPromoted()).resolves.toEqual(promoted);
  await expect(routing.readRollout({ consistent: false })).resolves.toMatchObject({ status: 'rolled_back' });
});

test('writes the valve only over the one that was read', async () => {
  await routing.writeValve(valve, undefined);
  await expect(routing.writeValve({ ...valve, sequence: 1 }, undefined)).resolves.toBe(false);
  await expect(routing.writeValve({ ...valve, sequence: 2 }, 1)).resolves.toBe(false);
  await expect(routing.writeValve({ ...valve, sequence: 1 }, 0)).resolves.toBe(true);
});

test('refuses to write what it could not read, and writes nothing', async () => {
  await expect(routing.startRollout({ ...rollout, id: '' })).rejects.toThrow('id');
  const wrong = { ...valve, current: { version: '1', shift: { version: '2', weight: 2 } } };
  expect(() => routing.writeValve(wrong, undefined)).toThrow('weight');
  await expect(routing.readRouting()).resolves.toEqual({});
});

test('reports an unreadable item with its key and the wrong attribute', async () => {
  const client = documentClient(dynamodb.client);
  const item = { ...ControlKey.rollout, ...rollout, status: 'unknown' };
  await client.send(new PutCommand({ TableName: 'control', Item: item }));
  for (const read of [routing.readRouting(), routing.readRollout()]) {
    await expect(read).rejects.toThrow(RoutingUnreadableError);
    await expect(read).rejects.toThrow(/ROUTING\/ROLLOUT of the control table is unreadable: status: /);
  }
  await expect(client.send(new GetCommand({ TableName: 'control', Key: ControlKey.rollout }))).resolves.toMatchObject({
    Item: item,
  });
});
