import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { ApiServer } from '../../../rehearsal/api-server';
import { type FaultsPort, NO_FAULTS, ResponseLost } from '../../../rehearsal/core/faults';
import { OPERATOR_CREDENTIALS } from '../../../rehearsal/core/principal';
import { ServiceError } from '../../../rehearsal/core/service';
import { createDynamoDb, type DynamoDb } from '../../../rehearsal/services/dynamodb';
import { createIam } from '../../../rehearsal/services/iam';
import { ManualClock } from '../../support/manual-clock';
import { Resource } from '../api-server/support';

/** What the real client makes of faults at the API server. */
describe('faults at the API server', () => {
  let apiServer: ApiServer;
  let db: DynamoDb;
  let next: ((run: () => Promise<unknown>) => Promise<unknown>)[] = [];
  const clients: DynamoDBClient[] = [];

  beforeAll(async () => {
    db = createDynamoDb({ clock: new ManualClock() });
    const faults: FaultsPort = {
      ...NO_FAULTS,
      aroundCall: <T>(_service: string, _call: unknown, run: () => Promise<T>) =>
        (next.shift()?.(run) ?? run()) as Promise<T>,
    };
    apiServer = await ApiServer.start({ iam: createIam().iam, faults });
    apiServer.add(db.service);
    await Resource.of(db.handlers, 'AWS::DynamoDB::Table', 'Tasks').create({
      TableName: 'tasks',
      AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
    });
  });
  afterEach(() => {
    next = [];
    for (const client of clients.splice(0)) client.destroy();
  });
  afterAll(async () => {
    await apiServer.stop();
    await db.stop();
  });

  const documents = (maxAttempts: number) => {
    const client = new DynamoDBClient({
      endpoint: apiServer.url,
      region: 'us-east-1',
      credentials: OPERATOR_CREDENTIALS,
      maxAttempts,
    });
    clients.push(client);
    return DynamoDBDocumentClient.from(client);
  };
  const put = (pk: string) =>
    new PutCommand({ TableName: 'tasks', Item: { pk }, ConditionExpression: 'attribute_not_exists(pk)' });
  const exists = async (pk: string) =>
    (await documents(1).send(new GetCommand({ TableName: 'tasks', Key: { pk } }))).Item !== undefined;

  const lost = async (run: () => Promise<unknown>) => {
    await run();
    throw new ResponseLost('lost');
  };
  const refused = async () => {
    throw new ServiceError('ThrottlingException', 'too many', 400);
  };

  test('a lost answer is a broken connection to the client, and the write is done', async () => {
    next = [lost];
    await expect(documents(1).send(put('a'))).rejects.toThrow('socket hang up');
    expect(await exists('a')).toBe(true);
  });

  test('a client that tries again meets its own write', async () => {
    next = [lost];
    await expect(documents(3).send(put('b'))).rejects.toMatchObject({ name: 'ConditionalCheckFailedException' });
  });

  test('a throttled call is tried again by the client, until it gives up', async () => {
    next = [refused, refused];
    await documents(3).send(put('c'));
    next = [refused, refused, refused];
    await expect(documents(3).send(put('d'))).rejects.toMatchObject({ name: 'ThrottlingException' });
    expect(await exists('d')).toBe(false);
  });
});
