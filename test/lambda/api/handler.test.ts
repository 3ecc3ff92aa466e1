import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { TaskKey } from '../../../lib/contract';
import { bundledHandler, LocalCloud } from '../common/support/local-cloud';

const ID = `t-${'b'.repeat(32)}`;

let cloud: LocalCloud;
beforeAll(async () => {
  cloud = await LocalCloud.start();
});
afterAll(() => cloud.close());

test('a task is read from the table', async () => {
  const task = {
    id: ID,
    agent: 'support',
    status: 'succeeded',
    mode: 'live',
    lane: 'stable',
    priority: 'normal',
    user: 'u',
    requestDigest: 'd',
    input: 1,
    createdAt: 0,
    attempts: 1,
    result: { answer: 42 },
    expiresAt: 1,
  };
  await cloud.tables.send(new PutCommand({ TableName: 'tasks', Item: { ...TaskKey.task(ID), ...task } }));
  const ask = (id: string) =>
    bundledHandler('api')({
      rawPath: `/tasks/${id}`,
      pathParameters: { id },
      requestContext: { http: { method: 'GET', path: `/tasks/${id}` } },
    });
  await expect(ask(ID)).resolves.toMatchObject({ statusCode: 200, body: expect.stringContaining('"answer":42') });
  await expect(ask(`t-${'c'.repeat(32)}`)).resolves.toMatchObject({ statusCode: 404 });
});
