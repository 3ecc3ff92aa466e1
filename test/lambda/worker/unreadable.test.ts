import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { defineAgent, FatalError } from '../../../lambda/runtime';
import { createHandler } from '../../../lambda/worker';
import { SessionKey, TaskKey, type TaskRecord } from '../../../lib/contract';
import { Bench } from './support/attempt-harness';
import { AGENT, behaviorDocument, context, messageFor, SESSIONS, TASKS } from './support/task-cloud';

const bench = new Bench();

describe('a task whose record cannot be read', () => {
  /** As the store has it. */
  async function itemOf(id: string): Promise<Record<string, unknown>> {
    const { Item = {} } = await bench.cloud.documents.send(new GetCommand({ TableName: TASKS, Key: TaskKey.task(id) }));
    return Item;
  }

  /** @returns the messages that come back */
  async function deliver(task: TaskRecord) {
    const agent = defineAgent({ input: z.json(), run: () => 'never run' });
    const { batchItemFailures } = await createHandler(agent)({ Records: [messageFor(task)] }, context());
    return batchItemFailures;
  }

  test('is failed by the worker that claims it, with the wrong field, and its message moves to the dead-letter queue', async () => {
    const task = await bench.cloud.putTask();
    await bench.cloud.documents.send(
      new PutCommand({ TableName: TASKS, Item: { ...TaskKey.task(task.id), ...task, user: 7 } }),
    );
    expect(await deliver(task)).toEqual([]);
    expect(await itemOf(task.id)).toMatchObject({
      status: 'failed',
      error: {
        code: 'invalid_record',
        message: "the task's record is unreadable: user: Invalid input: expected string, received number",
      },
    });
    expect(bench.cloud.sentTo('stable-dead')).toMatchObject([{ taskId: task.id }]);
    expect(bench.output.log('the message was moved to the dead-letter queue')).toMatchObject({
      outcome: 'failed',
      code: 'invalid_record',
    });
  });

  test('and that another worker holds is left to it', async () => {
    const task = await bench.cloud.putTask({
      status: 'running',
      attempts: 1,
      lease: { token: 'x', expiresAt: Date.now() + 60_000 },
    });
    await bench.cloud.documents.send(
      new PutCommand({ TableName: TASKS, Item: { ...TaskKey.task(task.id), ...task, user: 7 } }),
    );
    expect(await deliver(task)).toEqual([{ itemIdentifier: `m-${task.id}` }]);
    expect(await itemOf(task.id)).toMatchObject({ status: 'running', attempts: 1 });
    expect(bench.cloud.sentTo('stable-dead')).toEqual([]);
    expect(bench.output.log('the message was left in its queue')).toMatchObject({
      outcome: 'held',
      code: 'invalid_record',
    });
  });

  test.each([
    ['that has ended', { status: 'failed' }, { user: 7 }],
    ['whose attempts DynamoDB cannot count', {}, { attempts: 'many' }],
    ['that is in no lane', {}, { lane: 'fast' }],
    ['whose last lease has no end', { status: 'running', attempts: 1 }, { lease: { token: 'x' } }],
  ] as const)('and %s: its message moves to the dead-letter queue and the record stays', async (_, changes, damage) => {
    const task = await bench.cloud.putTask(changes);
    const item = { ...TaskKey.task(task.id), ...task, ...damage };
    await bench.cloud.documents.send(new PutCommand({ TableName: TASKS, Item: item }));
    expect(await deliver(task)).toEqual([]);
    expect(await itemOf(task.id)).toEqual(item);
    expect(bench.cloud.sentTo('stable-dead')).toMatchObject([{ taskId: task.id }]);
  });
});

test('an end that the record cannot hold becomes a failure that names the wrong part', async () => {
  const { record, deleted } = await bench.work(() => {
    throw new FatalError('no', { code: '' });
  });
  expect(deleted).toBe(true);
  expect(record).toMatchObject({
    status: 'failed',
    error: { code: 'invalid_end', message: expect.stringContaining('error.code') },
  });
});

test('a behavior document that cannot be read costs a task an attempt, and says where it lies', async () => {
  bench.cloud.s3 = () => ({ body: { ...behaviorDocument(), limits: undefined } });
  const { record, deleted } = await bench.work(() => 'never run');
  expect(record).toMatchObject({ status: 'queued', attempts: 1 });
  expect(record.uncounted).toBeUndefined();
  expect(deleted).toBe(false);
  expect(bench.output.log('the attempt failed')).toMatchObject({
    code: 'behavior_invalid',
    reason: expect.stringMatching(/^s3:\/\/assets\/behavior\.json is not a behavior document: [\s\S]*limits/),
  });
});

test('a session that this library did not write fails the task, and stays as it is', async () => {
  const item = { ...SessionKey.state(AGENT, 'chat'), state: 'theirs' };
  await bench.cloud.documents.send(new PutCommand({ TableName: SESSIONS, Item: item }));
  const { record } = await bench.work((ctx) => ctx.session.get(), { task: { session: 'chat' } });
  expect(record).toMatchObject({
    status: 'failed',
    error: {
      code: 'session_unreadable',
      message: expect.stringContaining('session "chat" cannot be read by this version of the library'),
    },
  });
  expect(await bench.cloud.session('chat')).toEqual(item);
});

test('an agent that asks for a secret that the worker was not given is told which there are', async () => {
  const { record } = await bench.work((ctx) => ctx.secret('crm'));
  expect(record).toMatchObject({
    status: 'failed',
    error: { code: 'secret_unknown', message: 'the service has no secret "crm"; it has "anthropic"' },
  });
});
