import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { documentClient } from '../../../../lambda/shared/aws/clients/dynamodb';
import { TaskRepository } from '../../../../lambda/shared/tasks/task-repository';
import { TaskKey, type TaskRecord } from '../../../../lib/contract';
import { type LocalDynamoDb, startDynamoDb } from '../../../support/local-dynamodb';
import { START } from '../support/fakes';

let dynamodb: LocalDynamoDb;
let table: TaskRepository;

beforeAll(async () => {
  dynamodb = await startDynamoDb(['tasks']);
  table = new TaskRepository(documentClient(dynamodb.client), 'tasks');
});
afterAll(() => dynamodb.close());

let count = 0;
function task(changes: Partial<TaskRecord> = {}): TaskRecord {
  count += 1;
  return {
    id: `t-${count.toString(16).padStart(32, '0')}`,
    agent: 'support',
    status: 'queued',
    mode: 'live',
    lane: 'stable',
    priority: 'normal',
    user: 'u',
    requestDigest: 'd',
    input: { a: [1, 'x', null, true] },
    createdAt: START,
    attempts: 0,
    expiresAt: START / 1000 + 100,
    ...changes,
  };
}

async function claim(id: string): Promise<void> {
  await documentClient(dynamodb.client).send(
    new UpdateCommand({
      TableName: 'tasks',
      Key: TaskKey.task(id),
      UpdateExpression: 'SET #status = :running, attempts = :one',
      ExpressionAttributeNames: { '#status': 'status' },
      ExpressionAttributeValues: { ':running': 'running', ':one': 1 },
    }),
  );
}

test('a task comes back as it was recorded', async () => {
  const one = task({ session: 's' });
  await expect(table.create(one)).resolves.toBe(true);
  await expect(table.get(one.id)).resolves.toEqual(one);
});

test('an unknown task is undefined', async () => {
  await expect(table.get('t-none')).resolves.toBeUndefined();
});

test('refuses a second task under the same id, and keeps the first', async () => {
  const one = task();
  await table.create(one);
  await expect(table.create({ ...one, user: 'other' })).resolves.toBe(false);
  await expect(table.get(one.id)).resolves.toEqual(one);
});

test('the id of an expired task is free, although the store still has the record', async () => {
  const old = task({ expiresAt: START / 1000 - 1 });
  await table.create(old);
  const next = { ...old, expiresAt: START / 1000 + 100, user: 'other' };
  await expect(table.create(next)).resolves.toBe(true);
  await expect(table.get(old.id)).resolves.toEqual(next);
});

test('a task that no worker claimed is discarded, and again', async () => {
  const one = task();
  await table.create(one);
  await expect(table.discard(one.id)).resolves.toBe(true);
  await expect(table.get(one.id)).resolves.toBeUndefined();
  await expect(table.discard(one.id)).resolves.toBe(true);
});

test('refuses to discard a task that a worker claimed', async () => {
  const one = task();
  await table.create(one);
  await claim(one.id);
  await expect(table.discard(one.id)).resolves.toBe(false);
  await expect(table.get(one.id)).resolves.toMatchObject({ status: 'running' });
});

test('fails as the store fails', async () => {
  const missing = new TaskRepository(documentClient(dynamodb.client), 'none');
  await expect(missing.create(task())).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  await expect(missing.discard('t-1')).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
});
