import { DeleteCommand, QueryCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { handleRecord } from '../../../../lambda/functions/recorder/recorder';
import { ReleaseArchive } from '../../../../lambda/functions/recorder/release-archive';
import { documentClient } from '../../../../lambda/shared/aws/clients/dynamodb';
import type { CustomResourceEvent } from '../../../../lambda/shared/aws/custom-resource';
import { AuditTrail } from '../../../../lambda/shared/routing/audit-trail';
import { ControlTable } from '../../../../lambda/shared/routing/control-table';
import { Rollouts } from '../../../../lambda/shared/routing/rollouts';
import { RoutingRepository } from '../../../../lambda/shared/routing/routing-repository';
import { type BehaviorDocument, ControlKey, canonicalJson } from '../../../../lib/contract';
import { type LocalDynamoDb, startDynamoDb } from '../../../support/local-dynamodb';
import { unpackContent } from '../../../support/release-content';
import { FakeClock, START } from '../../shared/support/fakes';
import { behaviorDocument } from './support';

const STACK = 'arn:aws:cloudformation:us-east-1:123456789012:stack/demo/1';
const one = behaviorDocument('one');
const two = behaviorDocument('two');

let dynamodb: LocalDynamoDb;
let table: ControlTable;
let routing: RoutingRepository;
let clock: FakeClock;
let assets: Map<string, string>;

beforeEach(async () => {
  dynamodb = await startDynamoDb(['control']);
  table = new ControlTable(documentClient(dynamodb.client), 'control');
  routing = new RoutingRepository(documentClient(dynamodb.client), 'control');
  clock = new FakeClock();
  assets = new Map([one, two].map((document) => [`${document.release}.json`, JSON.stringify(document)]));
});
afterEach(() => dynamodb.close());

let requests = 0;
function event(
  ResourceType: string,
  document: BehaviorDocument,
  version: string,
  changes: Partial<CustomResourceEvent> = {},
): CustomResourceEvent {
  requests += 1;
  return {
    RequestType: 'Update',
    ResponseURL: 'https://example.com',
    StackId: STACK,
    RequestId: `request-${requests}`,
    ResourceType,
    LogicalResourceId: 'Record',
    ResourceProperties: {
      ServiceToken: 'arn',
      Release: document.release,
      WorkerVersion: version,
      RouterVersion: version,
      BehaviorBucket: 'bucket',
      BehaviorKey: `${document.release}.json`,
    },
    ...changes,
  };
}
const releaseRecord = (document: BehaviorDocument, version: string, changes: Partial<CustomResourceEvent> = {}) =>
  event('Custom::AgentLanesReleaseRecord', document, version, changes);
const promotedRecord = (document: BehaviorDocument, version: string, changes: Partial<CustomResourceEvent> = {}) =>
  event('Custom::AgentLanesPromotedRecord', document, version, changes);

async function handle(given: CustomResourceEvent) {
  clock.time += 1_000;
  const audit = new AuditTrail(table, 'support');
  return await handleRecord(given, {
    agent: 'support',
    archive: new ReleaseArchive({ agent: 'support', table, audit, clock }),
    rollouts: new Rollouts({ routing, audit, clock }),
    readAsset: async (_, key) => assets.get(key) ?? Promise.reject(new Error(`no such object: ${key}`)),
  });
}

async function audited(): Promise<readonly (readonly [string, string])[]> {
  const { Items = [] } = await documentClient(dynamodb.client).send(
    new QueryCommand({
      TableName: 'control',
      KeyConditionExpression: 'pk = :audit',
      ExpressionAttributeValues: { ':audit': 'AUDIT' },
    }),
  );
  return Items.map(({ action, release }) => [String(action), String(release)]);
}

async function everything(): Promise<readonly unknown[]> {
  const { Items = [] } = await documentClient(dynamodb.client).send(new ScanCommand({ TableName: 'control' }));
  return Items.sort((a, b) => (`${a.pk}${a.sk}` < `${b.pk}${b.sk}` ? -1 : 1));
}

const target = ({ release }: BehaviorDocument, version: string) => ({
  release,
  workerVersion: version,
  routerVersion: version,
});

test('the first deployment: recorded, in progress, promoted', async () => {
  await expect(handle(releaseRecord(one, '1', { RequestType: 'Create' }))).resolves.toEqual({
    physicalId: 'support-release-record',
    data: { Release: one.release, Rollout: 'in_progress' },
  });
  await expect(table.get(ControlKey.rollout)).resolves.toMatchObject({
    target: target(one, '1'),
    status: 'in_progress',
    startedAt: START + 1_000,
  });
  await expect(table.get(ControlKey.promoted)).resolves.toBeUndefined();
  await expect(handle(promotedRecord(one, '1', { RequestType: 'Create' }))).resolves.toEqual({
    physicalId: 'support-promoted-record',
    data: { Release: one.release },
  });
  await expect(table.get(ControlKey.rollout)).resolves.toMatchObject({ status: 'promoted', endedAt: START + 2_000 });
  await expect(table.get(ControlKey.promoted)).resolves.toMatchObject({
    target: target(one, '1'),
    promotedAt: START + 2_000,
  });
  await expect(audited()).resolves.toEqual([
    ['release_recorded', one.release],
    ['rollout_started', one.release],
    ['release_promoted', one.release],
  ]);
});

test('a release is kept with all that is known of it, and its document can be fetched', async () => {
  const given = releaseRecord(one, '7');
  await handle({
    ...given,
    ResourceProperties: {
      ...given.ResourceProperties,
      GitRevision: 'abc',
      GitAuthor: 'A <a@example.com>',
      GitTime: '2026-01-01T00:00:00Z',
    },
  });
  const record = await table.get(ControlKey.release(one.release));
  expect(record).toMatchObject({
    release: one.release,
    agent: 'support',
    manifest: one.manifest,
    model: one.model,
    limits: one.limits,
    stateSchema: 1,
    workerVersion: '7',
    gitRevision: 'abc',
    gitAuthor: 'A <a@example.com>',
    gitTime: '2026-01-01T00:00:00Z',
    chunks: 1,
    recordedAt: START + 1_000,
  });
  const content = await table.get(ControlKey.releaseContent(one.release, 0));
  expect(unpackContent([content?.data as Uint8Array])).toBe(canonicalJson(one as Parameters<typeof canonicalJson>[0]));
  const [entry] = await everything();
  expect(entry).toMatchObject({
    at: '2026-01-01T00:00:01.000Z',
    agent: 'support',
    actor: `A <a@example.com>, by CloudFormation update of ${STACK}`,
  });
});

/** Brings the table to where release one is promoted and the rollout of release two is in progress. */
async function startSecondRollout() {
  await handle(releaseRecord(one, '1', { RequestType: 'Create' }));
  await handle(promotedRecord(one, '1', { RequestType: 'Create' }));
  const started = releaseRecord(two, '2');
  await handle(started);
  return started;
}

test('a failed deployment is rolled back when the record gets its old properties', async () => {
  await startSecondRollout();
  await expect(table.get(ControlKey.rollout)).resolves.toMatchObject({
    target: target(two, '2'),
    status: 'in_progress',
  });
  await expect(handle(releaseRecord(one, '1'))).resolves.toMatchObject({ data: { Rollout: 'rolled_back' } });
  await expect(table.get(ControlKey.rollout)).resolves.toMatchObject({
    target: target(two, '2'),
    status: 'rolled_back',
    endedAt: clock.time,
  });
  await expect(table.get(ControlKey.promoted)).resolves.toMatchObject({ target: target(one, '1') });
  expect((await audited()).at(-1)).toEqual(['rollout_rolled_back', two.release]);
  // The release stays recorded: it did run.
  await expect(table.get(ControlKey.release(two.release))).resolves.toBeDefined();
});

describe('tasks that run when a rollout is rolled back', () => {
  const props = (document: BehaviorDocument, version: string, more: object = {}) => ({
    ...releaseRecord(document, version).ResourceProperties,
    ...more,
  });
  const rollBack = (failed: object) => releaseRecord(one, '1', { OldResourceProperties: { ...failed } });
  const reason = async () => {
    const entries = await everything();
    return (entries as { action?: string; reason?: string }[]).find(({ action }) => action === 'rollout_rolled_back')
      ?.reason;
  };

  test('are requeued if the deployment that failed said so', async () => {
    await startSecondRollout();
    const given = rollBack(props(two, '2', { OnRollback: 'requeue' }));
    await handle(given);
    await expect(table.get(ControlKey.rollout)).resolves.toMatchObject({
      target: target(two, '2'),
      status: 'rolled_back',
      revoked: true,
    });
    await expect(reason()).resolves.toMatch(/; its running tasks are requeued in the stable lane$/);
    const before = await everything();
    await handle(given);
    await expect(everything()).resolves.toEqual(before);
  });

  test.each([
    ['it did not say', () => props(two, '2')],
    ['it said that they may finish', () => props(two, '2', { OnRollback: 'finish' })],
    ['another one said so', () => props(two, '3', { OnRollback: 'requeue' })],
    ['its properties cannot be read', () => ({ OnRollback: 'requeue' })],
  ])('may finish if %s', async (_, failed) => {
    await startSecondRollout();
    await handle(rollBack(failed()));
    const rollout = await table.get(ControlKey.rollout);
    expect(rollout).toMatchObject({ status: 'rolled_back' });
    expect(rollout).not.toHaveProperty('revoked');
    await expect(reason()).resolves.toMatch(/; its running tasks may finish$/);
  });

  test('are not looked at while a rollout goes forward', async () => {
    await handle(releaseRecord(one, '1', { RequestType: 'Create' }));
    await handle(promotedRecord(one, '1', { RequestType: 'Create' }));
    await handle(releaseRecord(two, '2', { OldResourceProperties: props(one, '1', { OnRollback: 'requeue' }) }));
    expect(await table.get(ControlKey.rollout)).not.toHaveProperty('revoked');
  });
});

test('the same release tried again is another rollout', async () => {
  await startSecondRollout();
  const first = await table.get(ControlKey.rollout);
  await handle(releaseRecord(one, '1'));
  await handle(releaseRecord(two, '3'));
  const second = await table.get(ControlKey.rollout);
  expect(second).toMatchObject({ status: 'in_progress', target: target(two, '3'), startedAt: clock.time });
  expect(second?.id).not.toBe(first?.id);
});

test('a new worker version of the same release is a rollout too', async () => {
  await handle(releaseRecord(one, '1'));
  await handle(promotedRecord(one, '1'));
  await expect(handle(releaseRecord(one, '2'))).resolves.toMatchObject({ data: { Rollout: 'in_progress' } });
});

test('naming what is promoted, with no rollout in progress, changes nothing', async () => {
  await handle(releaseRecord(one, '1'));
  await handle(promotedRecord(one, '1'));
  const before = await everything();
  await expect(handle(releaseRecord(one, '1'))).resolves.toMatchObject({ data: { Rollout: 'promoted' } });
  await handle(promotedRecord(one, '1'));
  await expect(everything()).resolves.toEqual(before);
});

test('after a promotion, old properties promote the old release again, in whichever order they come', async () => {
  await startSecondRollout();
  await handle(promotedRecord(two, '2'));
  await handle(releaseRecord(one, '1'));
  await handle(promotedRecord(one, '1'));
  await expect(table.get(ControlKey.promoted)).resolves.toMatchObject({ target: target(one, '1') });
  await expect(table.get(ControlKey.rollout)).resolves.toMatchObject({ target: target(one, '1'), status: 'promoted' });

  await handle(releaseRecord(two, '3'));
  await handle(promotedRecord(two, '3'));
  await handle(promotedRecord(one, '1'));
  await handle(releaseRecord(one, '1'));
  await expect(table.get(ControlKey.promoted)).resolves.toMatchObject({ target: target(one, '1') });
  expect((await table.get(ControlKey.rollout))?.status).toBe('promoted');
});

describe('delivered twice', () => {
  test.each([
    ['the start of a rollout', () => releaseRecord(two, '2')],
    ['a rollback', () => releaseRecord(one, '1')],
    ['a promotion', () => promotedRecord(two, '2')],
  ])('%s changes nothing the second time', async (_, make) => {
    await startSecondRollout();
    const given = make();
    await handle(given);
    const before = await everything();
    await handle(given);
    await expect(everything()).resolves.toEqual(before);
  });

  test.each(['release_recorded', 'rollout_started'])(
    'an event that got stuck before its audit entry %s gets it',
    async (action) => {
      const given = await startSecondRollout();
      const before = await everything();
      const entry = before.find((item) => {
        const { action: was, release } = item as { action?: string; release?: string };
        return was === action && release === two.release;
      }) as { pk: string; sk: string };
      await documentClient(dynamodb.client).send(
        new DeleteCommand({ TableName: 'control', Key: { pk: entry.pk, sk: entry.sk } }),
      );
      await handle(given);
      await expect(everything()).resolves.toEqual(before);
    },
  );
});

test('refuses a release that is recorded with other content, and keeps the first', async () => {
  await handle(releaseRecord(one, '1'));
  const before = await everything();
  assets.set(`${one.release}.json`, JSON.stringify({ ...one, prompts: { answer: 'changed by hand' } }));
  await expect(handle(releaseRecord(one, '2'))).rejects.toThrow(
    new RegExp(`^release ${one.release} is already recorded with other content`),
  );
  await expect(everything()).resolves.toEqual(before);
});

test('refuses to mix with what another content left half written', async () => {
  await table.putOnce(ControlKey.releaseContent(one.release, 0), { contentDigest: 'other', data: new Uint8Array([1]) });
  await expect(handle(releaseRecord(one, '1'))).rejects.toThrow('its content in the control table differs');
  await expect(table.get(ControlKey.release(one.release))).resolves.toBeUndefined();
});

test('continues with what the same content left half written', async () => {
  await handle(releaseRecord(one, '1'));
  const content = ControlKey.releaseContent(one.release, 0);
  const before = await table.get(content);
  const record = ControlKey.release(one.release);
  await documentClient(dynamodb.client).send(new DeleteCommand({ TableName: 'control', Key: record }));
  await handle(releaseRecord(one, '1'));
  await expect(table.get(content)).resolves.toEqual(before);
  await expect(table.get(record)).resolves.toMatchObject({ release: one.release });
});

test.each(['Custom::AgentLanesReleaseRecord', 'Custom::AgentLanesPromotedRecord'])(
  'a deletion of %s removes nothing',
  async (type) => {
    await startSecondRollout();
    const before = await everything();
    const given = event(type, one, '1', { RequestType: 'Delete', PhysicalResourceId: 'kept', ResourceProperties: {} });
    await expect(handle(given)).resolves.toEqual({ physicalId: 'kept' });
    await expect(everything()).resolves.toEqual(before);
  },
);

test.each([
  ['properties', releaseRecord(one, '1', { ResourceProperties: { Release: 'latest' } }), 'Release'],
  ['a missing asset', releaseRecord({ ...one, release: 'r-ffffffffffff' }, '1'), 'no such object'],
  ['an unknown type', event('Custom::Other', one, '1'), 'Custom::Other'],
])('fails for %s, and writes nothing', async (_, given, reason) => {
  await expect(handle(given)).rejects.toThrow(reason);
  await expect(everything()).resolves.toEqual([]);
});

test('the physical id is the one that CloudFormation knows', async () => {
  const given = releaseRecord(one, '1', { PhysicalResourceId: 'old-name' });
  await expect(handle(given)).resolves.toMatchObject({ physicalId: 'old-name' });
});
