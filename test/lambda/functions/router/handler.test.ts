import { PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import {
  backlogItemSchema,
  ControlKey,
  Env,
  envelopeSchema,
  MAX_INLINE_BYTES,
  sha256,
  submitResponseSchema,
  TASK_ID_PATTERN,
  taskRecordSchema,
} from '../../../../lib/contract';
import {
  bundledHandler,
  crowded,
  LocalCloud,
  METRIC_DATA,
  messageSent,
  QUEUE_SIZES,
} from '../../shared/support/local-cloud';
import { NEW, OLD } from './support';

const ALIAS_PATH = '/2015-03-31/functions/router/aliases/live';
const TRACE = 'Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1';

let cloud: LocalCloud;
let handler: ReturnType<typeof bundledHandler>;
const output = jest.spyOn(process.stdout, 'write').mockImplementation(() => true);

beforeAll(async () => {
  // Real time: the router must not find its reading outdated between two tests.
  cloud = await LocalCloud.start({ [Env.CLOCK]: JSON.stringify({ realEpochMs: 0, cloudEpochMs: 0, speed: 1 }) });
  cloud.answers = {
    'AmazonSQS.SendMessage': messageSent,
    '/payloads/': () => ({ body: '' }),
    ...crowded(3, 20),
    [ALIAS_PATH]: () => ({
      body: { Name: 'live', FunctionVersion: '1', RoutingConfig: { AdditionalVersionWeights: { '2': 1 } } },
    }),
  };
  const { tables } = cloud;
  await tables.send(
    new PutCommand({ TableName: 'control', Item: { ...ControlKey.promoted, target: OLD, promotedAt: 1 } }),
  );
  const rollout = { id: 'rollout-1', target: NEW, status: 'in_progress', startedAt: 1 };
  await tables.send(new PutCommand({ TableName: 'control', Item: { ...ControlKey.rollout, ...rollout } }));
  handler = bundledHandler('router');
});
afterAll(async () => {
  output.mockRestore();
  await cloud.close();
});

async function tasks() {
  const { Items = [] } = await cloud.tables.send(new ScanCommand({ TableName: 'tasks' }));
  return Items.map((item) => taskRecordSchema.parse(item));
}

test('a request over HTTP becomes a record and a message in a lane', async () => {
  const response = (await handler({
    rawPath: '/tasks',
    headers: { 'x-amzn-trace-id': TRACE },
    body: JSON.stringify({ input: { q: 1 }, user: 'user-1', priority: 'high' }),
    requestContext: { http: { method: 'POST', path: '/tasks' } },
  })) as { statusCode: number; body: string };
  expect(response.statusCode).toBe(202);
  const { id } = submitResponseSchema.parse(JSON.parse(response.body));
  const [record] = await tasks();
  expect(record).toMatchObject({ id, user: 'user-1', status: 'queued', lane: 'stable' });
  const [message] = cloud.requestsOf('AmazonSQS.SendMessage');
  expect(message?.body).toMatchObject({
    QueueUrl: `${cloud.services.endpoint}/high`,
    MessageGroupId: expect.stringMatching(/^[0-9a-f]{64}$/),
    MessageSystemAttributes: { AWSTraceHeader: { DataType: 'String', StringValue: TRACE } },
  });
  const { MessageBody } = (message?.body ?? {}) as { MessageBody: string };
  expect(envelopeSchema.parse(JSON.parse(MessageBody))).toMatchObject({ taskId: id, lane: 'stable', mode: 'live' });
});

test('the rollout in progress made the router look at its alias and write down the valve', async () => {
  expect(cloud.requestsOf(ALIAS_PATH)).toHaveLength(1);
  const { Items = [] } = await cloud.tables.send(new ScanCommand({ TableName: 'control' }));
  expect(Items.find(({ sk }) => sk === 'VALVE')).toMatchObject({
    rolloutId: 'rollout-1',
    current: { version: '1', shift: { version: '2', weight: 1 } },
    previous: { version: '1' },
    sequence: 0,
  });
});

test('the queues were counted for all routers to know', async () => {
  expect(cloud.requestsOf(QUEUE_SIZES)).toHaveLength(6);
  expect(cloud.requestsOf(METRIC_DATA)).toHaveLength(1);
  const { Items = [] } = await cloud.tables.send(new ScanCommand({ TableName: 'control' }));
  expect(backlogItemSchema.parse(Items.find(({ pk }) => pk === 'BACKLOG'))).toMatchObject({
    sequence: 0,
    queues: { candidate: { low: { waiting: 3, inFlight: 0, oldestSeconds: 20 } } },
  });
});

test('a large input is in the bucket under the id of its task', async () => {
  const input = { text: 'ä'.repeat(MAX_INLINE_BYTES) };
  const response = (await handler({
    rawPath: '/tasks',
    body: Buffer.from(JSON.stringify({ input, user: 'user-4' })).toString('base64'),
    isBase64Encoded: true,
    requestContext: { http: { method: 'POST', path: '/tasks' } },
  })) as { statusCode: number; body: string };
  expect(response.statusCode).toBe(202);
  const { id } = submitResponseSchema.parse(JSON.parse(response.body));
  const record = (await tasks()).find((task) => task.id === id);
  const text = JSON.stringify(input);
  expect(record?.input).toBeUndefined();
  expect(record?.inputRef).toEqual({
    key: `tasks/${id}/input-${sha256(text)}.json`,
    bytes: Buffer.byteLength(text),
    sha256: sha256(text),
  });
  const stored = cloud.services.requests.find(({ path }) => path.startsWith(`/payloads/${record?.inputRef?.key}`));
  expect(stored?.body).toEqual(input);
});

test('a message of the inbox becomes a task; one that is none stays in the queue', async () => {
  const before = (await tasks()).length;
  const response = await handler({
    Records: [
      {
        messageId: 'm-1',
        body: JSON.stringify({ input: 1, user: 'user-2' }),
        receiptHandle: 'h-1',
        attributes: { ApproximateReceiveCount: '1' },
      },
      { messageId: 'm-2', body: 'nonsense', receiptHandle: 'h-2', attributes: { ApproximateReceiveCount: '1' } },
    ],
  });
  expect(response).toEqual({ batchItemFailures: [{ itemIdentifier: 'm-2' }] });
  expect(await tasks()).toHaveLength(before + 1);
});

test('metrics go out with the dimensions of the contract and no others', () => {
  const lines = output.mock.calls
    .map(([line]) => String(line))
    .filter((line) => line.includes('"_aws"'))
    .map((line) => JSON.parse(line)._aws.CloudWatchMetrics[0]);
  expect(lines.map(({ Dimensions, Metrics }) => [Metrics[0].Name, Dimensions]).sort()).toEqual([
    ['TasksAccepted', [['Agent'], ['Agent', 'Lane']]],
    ['TasksAccepted', [['Agent'], ['Agent', 'Lane']]],
    ['TasksAccepted', [['Agent'], ['Agent', 'Lane']]],
    ['TasksRefused', [['Agent']]],
  ]);
});

test('fails with 503 when the queue is away, and leaves no record of a request without a key', async () => {
  const before = await tasks();
  cloud.answers = {
    ...cloud.answers,
    'AmazonSQS.SendMessage': () => ({ status: 503, body: { __type: 'ServiceUnavailable', message: 'away' } }),
  };
  const response = (await handler({
    rawPath: '/tasks',
    body: JSON.stringify({ input: 1, user: 'user-3' }),
    requestContext: { http: { method: 'POST', path: '/tasks' } },
  })) as { statusCode: number; headers: Record<string, string> };
  expect(response).toMatchObject({ statusCode: 503, headers: { 'retry-after': '5' } });
  expect(await tasks()).toEqual(before);
  expect(before[0]?.id).toMatch(TASK_ID_PATTERN);
});
