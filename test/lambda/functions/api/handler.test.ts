import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { Env, sha256, TaskKey, type TaskRecord } from '../../../../lib/contract';
import { bundledHandler, crowded, LocalCloud, messageSent } from '../../shared/support/local-cloud';

const RESULT = JSON.stringify({ answer: 'x'.repeat(20_000) });

const output = jest.spyOn(process.stdout, 'write').mockImplementation(() => true);

let cloud: LocalCloud;
beforeAll(async () => {
  // Real time: records must not expire between two tests.
  cloud = await LocalCloud.start({ [Env.CLOCK]: JSON.stringify({ realEpochMs: 0, cloudEpochMs: 0, speed: 1 }) });
  process.env[Env.WEBHOOK_QUEUE] = `${cloud.services.endpoint}/webhooks`;
  cloud.answers = {
    'AmazonSQS.SendMessage': messageSent,
    ...crowded(12, 90),
    '/payloads/tasks/large/result-1.json': () => ({ body: RESULT }),
  };
});
afterAll(async () => {
  output.mockRestore();
  await cloud.close();
});

let count = 0;
async function put(changes: Partial<TaskRecord> = {}): Promise<TaskRecord> {
  count += 1;
  const task: TaskRecord = {
    id: `t-${count.toString(16).padStart(32, '0')}`,
    agent: 'support',
    status: 'queued',
    mode: 'live',
    lane: 'stable',
    priority: 'normal',
    user: 'u',
    requestDigest: 'd',
    input: 1,
    createdAt: Date.now(),
    attempts: 0,
    expiresAt: Math.ceil(Date.now() / 1000) + 3_600,
    ...changes,
  };
  await cloud.tables.send(new PutCommand({ TableName: 'tasks', Item: { ...TaskKey.task(task.id), ...task } }));
  return task;
}

async function ask(method: string, id: string, below = '', body?: unknown) {
  const path = `/tasks/${id}${below}`;
  const response = (await bundledHandler('api')({
    rawPath: path,
    pathParameters: { id },
    requestContext: { http: { method, path } },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })) as { statusCode: number; body: string };
  return { status: response.statusCode, body: JSON.parse(response.body) };
}

test('a task is read from the table', async () => {
  const { id } = await put({ status: 'succeeded', attempts: 1, result: { answer: 42 } });
  await expect(ask('GET', id)).resolves.toMatchObject({ status: 200, body: { result: { answer: 42 } } });
  await expect(ask('GET', `t-${'c'.repeat(32)}`)).resolves.toMatchObject({ status: 404 });
});

test('a large result is read from the bucket, and checked', async () => {
  const resultRef = { key: 'tasks/large/result-1.json', bytes: RESULT.length, sha256: sha256(RESULT) };
  const { id } = await put({ status: 'succeeded', attempts: 1, resultRef });
  await expect(ask('GET', id)).resolves.toMatchObject({ status: 200, body: { result: JSON.parse(RESULT) } });
  const changed = await put({ status: 'succeeded', attempts: 1, resultRef: { ...resultRef, sha256: sha256('other') } });
  await expect(ask('GET', changed.id)).resolves.toMatchObject({ status: 500 });
});

test('a queued task is told its place in line', async () => {
  const { id } = await put();
  await expect(ask('GET', id)).resolves.toMatchObject({
    status: 200,
    body: { queue: { backlog: 12, oldestSeconds: 90 } },
  });
});

test('a queued task is cancelled, and its webhook sent on its way', async () => {
  const { id } = await put({ webhook: { url: 'https://example.com' } });
  await expect(ask('DELETE', id)).resolves.toMatchObject({ status: 200, body: { status: 'cancelled' } });
  const [message] = cloud.requestsOf('AmazonSQS.SendMessage');
  expect(message?.body).toMatchObject({
    QueueUrl: `${cloud.services.endpoint}/webhooks`,
    MessageBody: JSON.stringify({ version: 1, agent: 'support', taskId: id }),
  });
});

test('a judgment is kept beside the task', async () => {
  const { id } = await put({ status: 'succeeded', attempts: 1, release: 'r-0123456789ab' });
  await expect(ask('POST', id, '/feedback', { thumb: 'up' })).resolves.toMatchObject({ status: 200 });
  const { Item } = await cloud.tables.send(
    new GetCommand({ TableName: 'tasks', Key: TaskKey.feedback(id, sha256('u')) }),
  );
  expect(Item).toMatchObject({ score: 1, thumb: 'up' });
});
