import { DynamoDBClient, ScanCommand, TransactWriteItemsCommand } from '@aws-sdk/client-dynamodb';
import {
  BatchGetCommand,
  BatchWriteCommand,
  DeleteCommand,
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb';
import { createDynamoDb, type DynamoDb } from '../../../rehearsal/services/dynamodb';
import { ManualClock } from '../../support/manual-clock';
import { type ClientSettings, Resource, type Rig, startRig } from '../api-server/support';

const DAY = 86_400;
const KEYS = {
  AttributeDefinitions: [
    { AttributeName: 'pk', AttributeType: 'S' },
    { AttributeName: 'sk', AttributeType: 'S' },
  ],
  KeySchema: [
    { AttributeName: 'pk', KeyType: 'HASH' },
    { AttributeName: 'sk', KeyType: 'RANGE' },
  ],
};
const GLOBAL = {
  ...KEYS,
  TableName: 'tasks',
  BillingMode: 'PAY_PER_REQUEST',
  Replicas: [{ Region: 'us-east-1', PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true } }],
  SSESpecification: { SSEEnabled: true },
  TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
};
const ARN = 'arn:aws:dynamodb:us-east-1:123456789012:table/tasks';

let clock: ManualClock;
let db: DynamoDb;
let rig: Rig;
let client: DynamoDBDocumentClient;

const documents = (settings: ClientSettings) =>
  DynamoDBDocumentClient.from(new DynamoDBClient(settings), { marshallOptions: { removeUndefinedValues: true } });

beforeEach(async () => {
  clock = new ManualClock();
  db = createDynamoDb({ clock });
  rig = await startRig(() => [db.service]);
  client = documents(rig.operator);
  await Resource.of(db.handlers, 'AWS::DynamoDB::GlobalTable', 'Tasks').create(GLOBAL);
});
afterEach(async () => {
  await rig.stop();
  await db.stop();
});

const item = (pk: string, sk = 'TASK', rest: object = {}) => ({ TableName: 'tasks', Item: { pk, sk, ...rest } });
const key = (pk: string, sk = 'TASK') => ({ TableName: 'tasks', Key: { pk, sk } });

describe('items, as the document client sends them', () => {
  test('are written, read, changed and deleted', async () => {
    await client.send(
      new PutCommand(item('t-1', 'TASK', { status: 'queued', nested: { list: [1, 'a', null, true] } })),
    );
    const update = await client.send(
      new UpdateCommand({
        ...key('t-1'),
        UpdateExpression: 'SET #s = :s, attempts = if_not_exists(attempts, :zero) + :one REMOVE gone',
        ConditionExpression: '#s IN (:queued, :running) AND (attribute_not_exists(lease) OR lease.expiresAt < :now)',
        ExpressionAttributeNames: { '#s': 'status' },
        ExpressionAttributeValues: {
          ':s': 'running',
          ':queued': 'queued',
          ':running': 'running',
          ':zero': 0,
          ':one': 1,
          ':now': 5,
        },
        ReturnValues: 'ALL_NEW',
      }),
    );
    expect(update.Attributes).toEqual({
      pk: 't-1',
      sk: 'TASK',
      status: 'running',
      attempts: 1,
      nested: { list: [1, 'a', null, true] },
    });
    expect((await client.send(new GetCommand({ ...key('t-1'), ConsistentRead: true }))).Item).toEqual(
      update.Attributes,
    );
    await client.send(new DeleteCommand(key('t-1')));
    expect((await client.send(new GetCommand(key('t-1')))).Item).toBeUndefined();
  });

  test('are queried in order, by prefix, page by page, backwards', async () => {
    for (const sk of ['CONTENT#0001', 'CONTENT#0000', 'RECORD']) await client.send(new PutCommand(item('r-1', sk)));
    const query = {
      TableName: 'tasks',
      KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
      ExpressionAttributeValues: { ':pk': 'r-1', ':prefix': 'CONTENT#' },
      Limit: 1,
    };
    const first = await client.send(new QueryCommand(query));
    const second = await client.send(new QueryCommand({ ...query, ExclusiveStartKey: first.LastEvaluatedKey }));
    expect([first, second].flatMap((page) => page.Items?.map((one) => one.sk))).toEqual([
      'CONTENT#0000',
      'CONTENT#0001',
    ]);
    const last = await client.send(new QueryCommand({ ...query, ScanIndexForward: false }));
    expect(last.Items?.map((one) => one.sk)).toEqual(['CONTENT#0001']);
  });

  test('are written and read in batches', async () => {
    const puts = ['a', 'b'].map((pk) => ({ PutRequest: { Item: { pk, sk: 'TASK' } } }));
    await client.send(new BatchWriteCommand({ RequestItems: { tasks: puts } }));
    const Keys = ['a', 'b', 'c'].map((pk) => ({ pk, sk: 'TASK' }));
    const { Responses } = await client.send(new BatchGetCommand({ RequestItems: { tasks: { Keys } } }));
    expect(Responses?.tasks?.map((one) => one.pk).sort()).toEqual(['a', 'b']);
  });

  test('are reached by the ARN of the table', async () => {
    await client.send(new PutCommand({ ...item('t-1'), TableName: ARN }));
    expect((await client.send(new GetCommand({ ...key('t-1'), TableName: ARN }))).Item).toEqual({
      pk: 't-1',
      sk: 'TASK',
    });
  });

  test('are seen by the drill as plain values, all of them', async () => {
    const big = 'x'.repeat(20_000);
    const written = Array.from({ length: 120 }, (_, index) => `t-${String(index).padStart(3, '0')}`);
    for (const pk of written) await client.send(new PutCommand(item(pk, 'TASK', { big, n: 1.5, set: new Set(['a']) })));
    const items = await db.scan('tasks');
    expect(items.map((one) => one.pk).sort()).toEqual(written);
    expect(items[0]).toMatchObject({ n: 1.5, set: ['a'] });
  });
});

describe('conditions', () => {
  const create = (pk: string, more: object = {}) =>
    new PutCommand({ ...item(pk, 'TASK', { v: 1 }), ConditionExpression: 'attribute_not_exists(pk)', ...more });

  test('a failed one has its class', async () => {
    await client.send(create('t-1'));
    await expect(client.send(create('t-1'))).rejects.toMatchObject({
      name: 'ConditionalCheckFailedException',
      message: 'The conditional request failed',
    });
  });

  test('a failed one returns the item that it was judged on, if asked for it', async () => {
    await client.send(create('t-1'));
    const returned = { ReturnValuesOnConditionCheckFailure: 'ALL_OLD' as const };
    await expect(client.send(create('t-1', returned))).rejects.toMatchObject({
      // The document client leaves the item of an error in DynamoDB's typed form.
      Item: { pk: { S: 't-1' }, sk: { S: 'TASK' }, v: { N: '1' } },
    });
    const update = new UpdateCommand({
      ...key('t-2'),
      UpdateExpression: 'SET v = :v',
      ConditionExpression: 'attribute_exists(pk)',
      ExpressionAttributeValues: { ':v': 2 },
      ...returned,
    });
    const error = await client.send(update).catch((one: unknown) => one);
    expect(error).toMatchObject({ name: 'ConditionalCheckFailedException' });
    expect(error).not.toHaveProperty('Item.pk');
  });

  test('of many that compete one wins, and each loser sees the winner', async () => {
    await client.send(new PutCommand(item('t-1', 'TASK', { owner: 'none' })));
    const claims = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) =>
        client.send(
          new UpdateCommand({
            ...key('t-1'),
            UpdateExpression: 'SET #o = :me',
            ConditionExpression: '#o = :none',
            ExpressionAttributeNames: { '#o': 'owner' },
            ExpressionAttributeValues: { ':me': `w-${index}`, ':none': 'none' },
            ReturnValues: 'ALL_NEW',
            ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
          }),
        ),
      ),
    );
    const won = claims.flatMap((claim) => (claim.status === 'fulfilled' ? [claim.value.Attributes?.owner] : []));
    const seen = claims.flatMap((claim) => (claim.status === 'rejected' ? [claim.reason.Item.owner.S] : []));
    expect(won).toHaveLength(1);
    expect(new Set(seen)).toEqual(new Set(won));
  });

  test('refuses to compare a map, which the store underneath would get wrong', async () => {
    const put = create('t-1', {
      ConditionExpression: 'attribute_exists(pk) OR target = :target',
      ExpressionAttributeValues: { ':target': { release: 'r-1' } },
    });
    await expect(client.send(put)).rejects.toMatchObject({
      name: 'NotRehearsable',
      message: 'not rehearsable: dynamodb.PutItem whose condition compares a map or a list with "="',
    });
  });
});

describe('authorization', () => {
  const only = (...keys: string[]) => ({
    Effect: 'Allow',
    Action: ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:Query', 'dynamodb:BatchWriteItem'],
    Resource: ARN,
    Condition: { 'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': keys } },
  });

  test('by leading keys: what is in the partition is allowed', async () => {
    const router = documents(rig.role('router', only('ROUTING')));
    await router.send(new PutCommand(item('ROUTING', 'VALVE')));
    await router.send(new GetCommand(key('ROUTING', 'VALVE')));
    const query = await router.send(
      new QueryCommand({
        TableName: 'tasks',
        KeyConditionExpression: '#p = :p',
        ExpressionAttributeNames: { '#p': 'pk' },
        ExpressionAttributeValues: { ':p': 'ROUTING' },
      }),
    );
    expect(query.Items).toHaveLength(1);
  });

  test('refuses other partitions in every kind of call, with the code of AWS', async () => {
    const router = documents(rig.role('router', only('ROUTING')));
    const batch = ['ROUTING', 'AUDIT'].map((pk) => ({ PutRequest: { Item: { pk, sk: '1' } } }));
    const denied = { name: 'AccessDeniedException', $metadata: { httpStatusCode: 400 } };
    await expect(router.send(new PutCommand(item('AUDIT')))).rejects.toMatchObject(denied);
    await expect(router.send(new GetCommand(key('AUDIT')))).rejects.toMatchObject(denied);
    await expect(router.send(new BatchWriteCommand({ RequestItems: { tasks: batch } }))).rejects.toMatchObject(denied);
    const query = { TableName: 'tasks', KeyConditionExpression: 'pk = :p AND sk > :s' };
    const values = { ExpressionAttributeValues: { ':p': 'AUDIT', ':s': 'ROUTING' } };
    await expect(router.send(new QueryCommand({ ...query, ...values }))).rejects.toMatchObject(denied);
  });

  test('refuses an action and a table that the policy does not name', async () => {
    const router = documents(rig.role('router', only('ROUTING')));
    await expect(router.send(new DeleteCommand(key('ROUTING')))).rejects.toMatchObject({
      message: expect.stringContaining(`dynamodb:DeleteItem on resource: ${ARN}`),
    });
    await expect(router.send(new GetCommand({ ...key('ROUTING'), TableName: 'others' }))).rejects.toMatchObject({
      name: 'AccessDeniedException',
    });
  });
});

describe('operations outside the rehearsal', () => {
  test('refuses transactions and scans by name', async () => {
    const transaction = new TransactWriteItemsCommand({ TransactItems: [] });
    await expect(client.send(transaction)).rejects.toThrow('not rehearsable: dynamodb.TransactWriteItems');
    await expect(client.send(new ScanCommand({ TableName: 'tasks' }))).rejects.toThrow(
      'not rehearsable: dynamodb.Scan',
    );
  });

  test('refuses a parameter that the store underneath would ignore', async () => {
    const put = new PutCommand(item('t-1'));
    Object.assign(put.input, { ReturnItemCollectionMetrics: 'NONE' });
    await expect(client.send(put)).resolves.toBeDefined();
    const response = await fetch(rig.apiServer.url, {
      method: 'POST',
      body: JSON.stringify({ TableName: 'tasks', Item: { pk: { S: 'a' }, sk: { S: 'b' } }, Novelty: 1 }),
      headers: {
        authorization: `AWS4-HMAC-SHA256 Credential=${rig.operator.credentials.accessKeyId}/20300101/us-east-1/dynamodb/aws4_request`,
        'x-amz-target': 'DynamoDB_20120810.PutItem',
      },
    });
    expect(await response.json()).toMatchObject({ message: 'not rehearsable: dynamodb.PutItem with Novelty' });
  });

  test('fails on a table that does not exist, and on a key that does not fit, as DynamoDB does', async () => {
    await expect(client.send(new GetCommand({ ...key('t'), TableName: 'none' }))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    });
    await expect(client.send(new GetCommand({ TableName: 'tasks', Key: { pk: 'only' } }))).rejects.toMatchObject({
      name: 'ValidationException',
      message: 'The provided key element does not match the schema',
    });
  });
});

describe('expiry', () => {
  test('takes away what has expired within an hour of cloud time, and nothing else', async () => {
    const now = clock.now() / 1000;
    await client.send(new PutCommand(item('soon', 'TASK', { expiresAt: now + 1800 })));
    await client.send(new PutCommand(item('later', 'TASK', { expiresAt: now + 2 * DAY })));
    await client.send(new PutCommand(item('never')));
    await client.send(new PutCommand(item('text', 'TASK', { expiresAt: '1' })));
    await client.send(new PutCommand(item('ancient', 'TASK', { expiresAt: now - 6 * 365 * DAY })));
    await clock.advance(3_600_000);
    await db.sweep();
    const left = () => db.scan('tasks').then((items) => items.map((one) => one.pk).sort());
    expect(await left()).toEqual(['ancient', 'later', 'never', 'text']);
    await clock.advance(3 * DAY * 1000);
    await db.sweep();
    expect(await left()).toEqual(['ancient', 'never', 'text']);
  });
});

describe('tables', () => {
  const table = () => Resource.of(db.handlers, 'AWS::DynamoDB::Table', 'Control');

  test('have the name, ARN and id that a template refers to', async () => {
    const outcome = await table().create({ ...KEYS, BillingMode: 'PAY_PER_REQUEST' });
    expect(outcome.physicalId).toMatch(/^Test-Control-[A-Z0-9]{12}$/);
    expect(outcome.attributes).toEqual({
      Arn: `arn:aws:dynamodb:us-east-1:123456789012:table/${outcome.physicalId}`,
      TableId: expect.stringMatching(/^[0-9a-f-]{20,}$/),
    });
  });

  test('keep their items over an update, and are gone after a delete', async () => {
    const resource = table();
    const { physicalId } = await resource.create(KEYS);
    const there = { ...item('a'), TableName: physicalId };
    await client.send(new PutCommand(there));
    await resource.update({ ...KEYS, TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: 'true' } });
    expect(await db.scan(physicalId)).toHaveLength(1);
    await resource.delete();
    await expect(client.send(new PutCommand(there))).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  test('refuse deletion while they are protected', async () => {
    const resource = table();
    await resource.create({ ...KEYS, DeletionProtectionEnabled: true });
    await expect(resource.delete()).rejects.toThrow(/currently protected against deletion: table Test-Control-/);
    await resource.update({ ...KEYS, DeletionProtectionEnabled: false });
    await resource.delete();
  });

  test('refuse streams, replicas elsewhere and changed indexes, by name', async () => {
    const stream = { ...KEYS, StreamSpecification: { StreamViewType: 'NEW_IMAGE' } };
    await expect(table().create(stream)).rejects.toThrow(
      /not rehearsable: AWS::DynamoDB::Table at Test\/Control: .*StreamSpecification/,
    );
    const elsewhere = { ...GLOBAL, TableName: 'x', Replicas: [{ Region: 'us-east-1' }, { Region: 'eu-west-1' }] };
    await expect(Resource.of(db.handlers, 'AWS::DynamoDB::GlobalTable').create(elsewhere)).rejects.toThrow(
      /Replicas: a table with replicas in other regions/,
    );
    const resource = table();
    await resource.create(KEYS);
    await expect(resource.update({ ...KEYS, GlobalSecondaryIndexes: [] })).rejects.toThrow(
      'not rehearsable: AWS::DynamoDB::Table at Test/Control: change of GlobalSecondaryIndexes',
    );
  });
});

describe('an observer', () => {
  test('is told of every write that succeeded, in order, with the item before and after', async () => {
    const seen: unknown[] = [];
    const end = db.observe('tasks', ({ before, after }) => seen.push([before?.status, after?.status]));
    await client.send(new PutCommand(item('t-1', 'TASK', { status: 'queued' })));
    const to = (status: string, from: string) =>
      new UpdateCommand({
        ...key('t-1'),
        UpdateExpression: 'SET #s = :to',
        ConditionExpression: '#s = :from',
        ExpressionAttributeNames: { '#s': 'status' },
        ExpressionAttributeValues: { ':to': status, ':from': from },
      });
    await client.send(to('running', 'queued'));
    await expect(client.send(to('running', 'queued'))).rejects.toThrow('conditional request failed');
    await Promise.all([client.send(to('succeeded', 'running')), client.send(new GetCommand(key('t-1')))]);
    await client.send(new DeleteCommand(key('t-1')));
    end();
    await client.send(new PutCommand(item('t-2')));
    expect(seen).toEqual([
      [undefined, 'queued'],
      ['queued', 'running'],
      ['running', 'succeeded'],
      ['succeeded', undefined],
    ]);
  });
});
