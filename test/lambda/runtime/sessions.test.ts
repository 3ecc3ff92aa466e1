import { z } from 'zod';
import { RetryableError } from '../../../lambda/runtime';
import { MAX_SESSION_BYTES, SessionStore } from '../../../lambda/runtime/sessions';
import { documentClient } from '../../../lambda/shared/aws/clients/dynamodb';
import { type LocalDynamoDb, startDynamoDb } from '../../support/local-dynamodb';

const START = 1_800_000_000_000;
const DAY = 86_400_000;

let dynamoDb: LocalDynamoDb;

beforeAll(async () => {
  dynamoDb = await startDynamoDb(['sessions']);
});

afterAll(() => dynamoDb.close());

const clock = { time: START, now: () => clock.time, sleep: () => Promise.resolve() };

function store(schema = 1, table = 'sessions'): SessionStore {
  return new SessionStore({
    client: documentClient(dynamoDb.client),
    table,
    agent: 'support',
    schema,
    retentionDays: 2,
    clock,
  });
}

const open = (session: string | undefined, schema?: number) =>
  store(schema).open(session, new AbortController().signal);

let sequence = 0;
const newSession = () => {
  sequence += 1;
  clock.time = START;
  return `session-${sequence}`;
};

test('keeps state from one task to the next', async () => {
  const name = newSession();
  const first = open(name);
  expect(await first.get()).toBeUndefined();
  await first.put({ turns: [1] });
  await first.put({ turns: [1, 2] });
  expect(await open(name).get()).toEqual({ turns: [1, 2] });
});

test('fails a write when another task wrote in the meantime, as an error that is worth repeating', async () => {
  const name = newSession();
  const [a, b] = [open(name), open(name)];
  await a.get();
  await b.get();
  await a.put('a');
  const conflict = await b.put('b').catch((error: unknown) => error);
  expect(conflict).toBeInstanceOf(RetryableError);
  expect(conflict).toMatchObject({ code: 'session_conflict', message: expect.stringContaining(name) });
  expect(await open(name).get()).toBe('a');
});

test('fails the second of two updates of the same version', async () => {
  const name = newSession();
  const first = open(name);
  await first.get();
  await first.put(0);
  const [a, b] = [open(name), open(name)];
  await Promise.all([a.get(), b.get()]);
  const results = await Promise.allSettled([a.put(1), b.put(2)]);
  expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
});

test('forgets an expired state before DynamoDB has removed it, and can be written again', async () => {
  const name = newSession();
  const first = open(name);
  await first.get();
  await first.put('old');
  clock.time += 2 * DAY - 1_000;
  expect(await open(name).get()).toBe('old');
  clock.time += 2_000;
  const later = open(name);
  expect(await later.get()).toBeUndefined();
  await later.put('new');
  expect(await open(name).get()).toBe('new');
});

test('fails to read what another state schema wrote', async () => {
  const name = newSession();
  const first = open(name, 1);
  await first.get();
  await first.put('v1');
  await expect(open(name, 2).get()).rejects.toMatchObject({
    code: 'session_schema',
    message: expect.stringContaining('written under state schema 1, this release reads 2'),
  });
});

test('fails when the state does not fit the schema that the agent reads it with, and names the path', async () => {
  const name = newSession();
  const first = open(name);
  await first.get();
  await first.put({ turns: 'none' });
  await expect(open(name).get(z.object({ turns: z.array(z.string()) }))).rejects.toThrow('session.turns');
});

test('fails a write without a read before it', async () => {
  await expect(open(newSession()).put(1)).rejects.toMatchObject({ code: 'session_not_read' });
});

test('fails a state that would not fit the store, stating both sizes', async () => {
  const session = open(newSession());
  await session.get();
  const failure = session.put('x'.repeat(MAX_SESSION_BYTES));
  await expect(failure).rejects.toMatchObject({ code: 'session_too_large' });
  await expect(failure).rejects.toThrow(String(MAX_SESSION_BYTES + 2));
});

test('without a session reads nothing and writes nothing', async () => {
  const session = open(undefined);
  expect(await session.get()).toBeUndefined();
  await session.put('nowhere');
  expect(session.id).toBeUndefined();
});

test('fails once the task has ended', async () => {
  const controller = new AbortController();
  const session = store().open(newSession(), controller.signal);
  controller.abort(new Error('the task has ended'));
  await expect(session.get()).rejects.toThrow('the task has ended');
  await expect(session.put(1)).rejects.toThrow('the task has ended');
});

test('fails for good when the table is not there', async () => {
  await expect(store(1, 'nowhere').open('s', new AbortController().signal).get()).rejects.toMatchObject({
    code: 'session_refused',
  });
});
