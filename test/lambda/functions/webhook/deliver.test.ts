import { createHmac } from 'node:crypto';
import { PutSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import type { Message } from '@aws-sdk/client-sqs';
import fc from 'fast-check';
import { type DeliverDeps, deliverBatch } from '../../../../lambda/functions/webhook/deliver';
import { systemResolver } from '../../../../lambda/functions/webhook/destination';
import { post } from '../../../../lambda/functions/webhook/post';
import { retryDelayMs } from '../../../../lambda/functions/webhook/retry-delay';
import { KEYS_MAX_AGE_MS, SigningKeys } from '../../../../lambda/functions/webhook/signing-keys';
import { WebhookQueue } from '../../../../lambda/functions/webhook/webhook-queue';
import { TaskRepository } from '../../../../lambda/shared/tasks/task-repository';
import { MetricEmitter } from '../../../../lambda/shared/telemetry/emf';
import { type TaskRecord, taskResponseSchema } from '../../../../lib/contract';
import { CapturedLog } from '../../shared/support/fakes';
import { AGENT, Cloud } from '../redrive/support/cloud';
import { answering, type Received, type Receiver, startReceiver } from './support';

const RETRY_MS = 60 * 60_000;
const KEY = 'first-signing-key';

let cloud: Cloud;
let receiver: Receiver;
let log: CapturedLog;
let metrics: string[];
let props: DeliverDeps;
let secret: string;

beforeEach(async () => {
  cloud = await Cloud.start();
  receiver = await startReceiver();
  await cloud.queue('webhooks-dead');
  await cloud.queue('webhooks', 300, 'webhooks-dead');
  secret = cloud.secrets.putSecret('webhook-key', KEY);
  log = new CapturedLog();
  metrics = [];
  const { clock } = cloud;
  const destinations = { privateHosts: ['127.0.0.1'], resolve: systemResolver };
  props = {
    agent: AGENT,
    tasks: new TaskRepository(cloud.documents, 'tasks'),
    queue: new WebhookQueue(cloud.sqs, cloud.urlOf('webhooks'), cloud.urlOf('webhooks-dead')),
    keys: new SigningKeys(cloud.secretsManager, secret, clock),
    post: (request, signal) => post(request, destinations, signal),
    retryMs: RETRY_MS,
    clock,
    logger: log,
    metrics: new MetricEmitter({
      dimensions: { Agent: AGENT },
      clock,
      sink: (line) => {
        const { _aws, ...rest } = JSON.parse(line);
        metrics.push(_aws.CloudWatchMetrics[0].Metrics[0].Name);
        expect(rest.Agent).toBe(AGENT);
      },
    }),
    random: () => 1,
  };
});
afterEach(async () => {
  await receiver.close();
  await cloud.stop();
});

/** A task that ended just now and owes a webhook, with the message about it in the queue. */
async function ended(changes: Partial<TaskRecord> = {}): Promise<TaskRecord> {
  const task = await cloud.putTask({
    status: 'succeeded',
    finishedAt: cloud.clock.now(),
    result: { answer: 42 },
    webhook: { url: `http://127.0.0.1:${receiver.port}/hooks?token=hidden` },
    trace: 'Root=1-5e3d83c1-e6a0db584850d61342823d4c;Sampled=1',
    ...changes,
  });
  await cloud.send('webhooks', JSON.stringify({ version: 1, agent: AGENT, taskId: task.id }));
  return task;
}

/** What the event source mapping does: receives, invokes, deletes what did not fail. @returns messages that failed */
async function run(changed: Partial<DeliverDeps> = {}): Promise<readonly Message[]> {
  const messages = await cloud.receive('webhooks', 300);
  const { batchItemFailures } = await deliverBatch(
    messages.map(({ MessageId, Body, Attributes, MessageAttributes, ReceiptHandle }) => ({
      messageId: MessageId ?? '',
      receiptHandle: ReceiptHandle ?? '',
      body: Body ?? '',
      attributes: { ApproximateReceiveCount: Number(Attributes?.ApproximateReceiveCount) },
      messageAttributes: MessageAttributes ?? {},
    })),
    { ...props, ...changed },
  );
  const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
  for (const { MessageId, ReceiptHandle } of messages) {
    if (!failed.has(MessageId ?? '')) {
      await cloud.delete('webhooks', ReceiptHandle ?? '');
    }
  }
  return messages.filter(({ MessageId }) => failed.has(MessageId ?? ''));
}

/** As a receiver would: knows one key, recomputes, compares with each signature. */
function isSignedWith(key: string, { headers, body }: Received): boolean {
  const expected = createHmac('sha256', key)
    .update(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`)
    .digest('base64');
  return String(headers['webhook-signature']).split(' ').includes(`v1,${expected}`);
}

test.each(['succeeded', 'failed', 'timed_out', 'cancelled'] as const)('tells that a task %s', async (status) => {
  const task = await ended({ status });
  await expect(run()).resolves.toEqual([]);
  const [received] = receiver.received as [Received];
  expect(received.headers).toMatchObject({
    'content-type': 'application/json',
    'webhook-id': task.id,
    'webhook-timestamp': String(Math.floor(cloud.clock.now() / 1_000)),
  });
  const { data, ...rest } = JSON.parse(received.body);
  expect(rest).toEqual({ type: `task.${status}`, timestamp: new Date(cloud.clock.now()).toISOString() });
  expect(taskResponseSchema.parse(data)).toMatchObject({ id: task.id, status, result: { answer: 42 } });
  expect(data.links).toEqual({ self: `/tasks/${task.id}` });
  expect(isSignedWith(KEY, received)).toBe(true);
  expect(isSignedWith('another', received)).toBe(false);
  expect((await cloud.task(task.id)).webhookDeliveredAt).toBe(cloud.clock.now());
  await expect(cloud.counts('webhooks')).resolves.toEqual([0, 0]);
  expect(metrics).toEqual(['WebhooksDelivered']);
  const { fields } = log.find('webhook delivered');
  expect(fields).toMatchObject({
    task: task.id,
    status: 204,
    attempt: 1,
    trace: '1-5e3d83c1-e6a0db584850d61342823d4c',
  });
  expect(JSON.stringify(log.lines)).not.toContain('hidden');
});

test('after a rotation receivers with either key accept it, and keys are read again in time', async () => {
  await ended();
  await run();
  await cloud.secretsManager.send(new PutSecretValueCommand({ SecretId: secret, SecretString: 'second-key' }));
  await cloud.clock.advance(KEYS_MAX_AGE_MS - 1);
  await ended();
  await run();
  expect(receiver.received.map((received) => isSignedWith('second-key', received))).toEqual([false, false]);
  await cloud.clock.advance(1);
  await ended();
  await run();
  const [, , last] = receiver.received as [Received, Received, Received];
  expect([KEY, 'second-key'].map((key) => isSignedWith(key, last))).toEqual([true, true]);
});

test('a delivered webhook is not delivered again', async () => {
  const task = await ended();
  await cloud.send('webhooks', JSON.stringify({ version: 1, agent: AGENT, taskId: task.id }));
  await run();
  await run();
  await cloud.send('webhooks', JSON.stringify({ version: 1, agent: AGENT, taskId: task.id }));
  await run();
  // Two messages of one batch may both find it undelivered; a later one finds it done.
  expect(receiver.received.length).toBeLessThanOrEqual(2);
  expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id']))).toEqual(new Set([task.id]));
});

test('is tried again after growing waits, until it is taken', async () => {
  const task = await ended();
  receiver.answer = answering(500);
  for (const wait of [10_000, 20_000, 40_000]) {
    await expect(run()).resolves.toHaveLength(1);
    await cloud.clock.advance(wait - 1_000);
    await expect(cloud.counts('webhooks')).resolves.toEqual([0, 1]);
    await cloud.clock.advance(1_000);
    await expect(cloud.counts('webhooks')).resolves.toEqual([1, 0]);
  }
  receiver.answer = answering(200);
  await expect(run()).resolves.toEqual([]);
  expect(new Set(receiver.received.map(({ headers, body }) => `${headers['webhook-id']} ${body}`)).size).toBe(1);
  expect((await cloud.task(task.id)).webhookDeliveredAt).toBe(cloud.clock.now());
  expect(metrics).toEqual([...Array(3).fill('WebhookFailures'), 'WebhooksDelivered']);
});

test('waits as long as the receiver asks for', async () => {
  await ended();
  receiver.answer = answering(429, { 'retry-after': '1200' });
  await run();
  await cloud.clock.advance(1_199_000);
  await expect(cloud.counts('webhooks')).resolves.toEqual([0, 1]);
  await cloud.clock.advance(1_000);
  await expect(cloud.counts('webhooks')).resolves.toEqual([1, 0]);
});

test('is abandoned when its time is over, and can be moved back to be tried once more', async () => {
  const task = await ended();
  receiver.answer = answering(500);
  let tries = 0;
  while ((await cloud.counts('webhooks-dead'))[0] === 0) {
    await run();
    tries += 1;
    await cloud.clock.advance(60_000);
    expect(tries).toBeLessThan(100);
  }
  expect(cloud.clock.now() - (task.finishedAt ?? 0)).toBeGreaterThan(RETRY_MS);
  expect((await cloud.task(task.id)).webhookAbandonedAt).toBeGreaterThanOrEqual((task.finishedAt ?? 0) + RETRY_MS);
  await expect(cloud.counts('webhooks')).resolves.toEqual([0, 0]);
  expect(metrics.at(-1)).toBe('WebhooksAbandoned');

  // Another message about it does nothing any more.
  const before = receiver.received.length;
  await cloud.send('webhooks', JSON.stringify({ version: 1, agent: AGENT, taskId: task.id }));
  await expect(run()).resolves.toEqual([]);
  expect(receiver.received).toHaveLength(before);

  // An operator moves it back: still failing it is dead again, then it is taken.
  await cloud.move('webhooks-dead', 'webhooks');
  await expect(run()).resolves.toEqual([]);
  expect(receiver.received).toHaveLength(before + 1);
  const [dead] = await cloud.receive('webhooks-dead', 0);
  expect(dead?.MessageAttributes).toMatchObject({ Reason: { StringValue: 'retries_expired' } });
  receiver.answer = answering(200);
  await cloud.move('webhooks-dead', 'webhooks');
  await expect(run()).resolves.toEqual([]);
  const told = await cloud.task(task.id);
  expect(told).toMatchObject({ webhookDeliveredAt: cloud.clock.now() });
  expect(told.webhookAbandonedAt).toBeUndefined();
});

test.each([
  ['receiver_gone', 410],
  ['destination_not_allowed', 'http://8.8.8.8/'],
  ['destination_not_allowed', 'https://user:pass@8.8.8.8/'],
])('is abandoned at once when it is %s: %s', async (reason, cause) => {
  receiver.answer = answering(typeof cause === 'number' ? cause : 200);
  const task = await ended(typeof cause === 'number' ? {} : { webhook: { url: cause } });
  await expect(run()).resolves.toEqual([]);
  expect((await cloud.task(task.id)).webhookAbandonedAt).toBe(cloud.clock.now());
  const [dead] = await cloud.receive('webhooks-dead');
  expect(dead?.MessageAttributes).toMatchObject({ Reason: { StringValue: reason }, Attempts: { StringValue: '1' } });
  expect(metrics).toEqual(['WebhookFailures', 'WebhooksAbandoned']);
});

test('refuses to post to private addresses, and tries again: names may come to lead elsewhere', async () => {
  await ended({ webhook: { url: 'https://localhost/' } });
  await expect(run()).resolves.toHaveLength(1);
  expect(String(log.find('not delivered').fields.reason)).toContain('is not public');
});

test('the next end of a redriven task is reported under another id', async () => {
  const task = await ended();
  // While the webhook is on its way, an operator sends the task back and it ends again.
  receiver.answer = async (_, response) => {
    await cloud.putTask({ ...task, redrives: 1, finishedAt: cloud.clock.now() + 5 });
    response.writeHead(200).end();
  };
  await run();
  expect((await cloud.task(task.id)).webhookDeliveredAt).toBeUndefined();
  receiver.answer = answering(200);
  await cloud.send('webhooks', JSON.stringify({ version: 1, agent: AGENT, taskId: task.id }));
  await run();
  expect(receiver.received.map(({ headers }) => headers['webhook-id'])).toEqual([task.id, `${task.id}-1`]);
  expect((await cloud.task(task.id)).webhookDeliveredAt).toBe(cloud.clock.now());
});

test.each([
  ['runs again', { status: 'queued', finishedAt: undefined }],
  ['has no webhook', { webhook: undefined }],
  ['was told', { webhookDeliveredAt: 1 }],
  ['has an abandoned webhook', { webhookAbandonedAt: 1 }],
])('nothing is posted for a task that %s', async (_, changes) => {
  await ended(changes as Partial<TaskRecord>);
  await expect(run()).resolves.toEqual([]);
  expect(receiver.received).toEqual([]);
});

test('nothing is posted for a task that is no more', async () => {
  await cloud.send('webhooks', JSON.stringify({ version: 1, agent: AGENT, taskId: `t-${'e'.repeat(32)}` }));
  await expect(run()).resolves.toEqual([]);
});

test.each([
  ['text', 'hello', 'not JSON'],
  ['another version', JSON.stringify({ version: 2, agent: AGENT, taskId: `t-${'a'.repeat(32)}` }), 'version'],
  ["another agent's", JSON.stringify({ version: 1, agent: 'other', taskId: `t-${'a'.repeat(32)}` }), '"other"'],
])('a message that cannot be read goes to the dead-letter queue: %s', async (_, body, reason) => {
  await cloud.send('webhooks', body);
  await ended();
  await expect(run()).resolves.toEqual([]);
  expect(receiver.received).toHaveLength(1);
  const [dead] = await cloud.receive('webhooks-dead');
  expect(dead).toMatchObject({ Body: body, MessageAttributes: { Reason: { StringValue: 'invalid_message' } } });
  expect(String(log.find('unreadable message moved').fields.reason)).toContain(reason);
});

test('the message of a task whose record is unreadable goes to the dead-letter queue at once', async () => {
  const task = await ended({ user: 7 as never });
  await expect(run()).resolves.toEqual([]);
  expect(receiver.received).toEqual([]);
  const [dead] = await cloud.receive('webhooks-dead');
  expect(dead).toMatchObject({ MessageAttributes: { Reason: { StringValue: 'unreadable_task' } } });
  expect(metrics).toEqual(['WebhooksAbandoned']);
  expect(log.find('the record of its task is unreadable').fields).toMatchObject({ task: task.id });
});

test('fails for now when there is no key to sign with, and posts nothing unsigned', async () => {
  await ended();
  const keys = new SigningKeys(cloud.secretsManager, 'no-such-secret', cloud.clock);
  await expect(run({ keys })).resolves.toHaveLength(1);
  expect(receiver.received).toEqual([]);
  const { level, fields } = log.find('not delivered');
  expect(level).toBe('error');
  expect(String(fields.reason)).toContain('ResourceNotFoundException');
});

/** The repository with some of its methods replaced. */
function tasksWith(changes: Partial<DeliverDeps['tasks']>): DeliverDeps['tasks'] {
  const { tasks } = props;
  return {
    get: (id) => tasks.get(id),
    markWebhookDelivered: (...args) => tasks.markWebhookDelivered(...args),
    markWebhookAbandoned: (...args) => tasks.markWebhookAbandoned(...args),
    ...changes,
  };
}

describe('interrupted', () => {
  const broken = () => Promise.reject(new Error('interrupted'));

  test('after the receiver took it: it is posted again under the same id', async () => {
    const task = await ended();
    const tasks = tasksWith({ markWebhookDelivered: broken, markWebhookAbandoned: broken });
    await expect(run({ tasks })).resolves.toHaveLength(1);
    await cloud.clock.advance(20_000);
    await run();
    expect(receiver.received.map(({ headers }) => headers['webhook-id'])).toEqual([task.id, task.id]);
    expect((await cloud.task(task.id)).webhookDeliveredAt).toBe(cloud.clock.now());
  });

  test.each([
    ['before it is in the dead-letter queue', 'moveToDeadLetterQueue'],
    ['before its record says that it was abandoned', 'markWebhookAbandoned'],
  ])('while a webhook is abandoned, %s: it ends there all the same', async (_, call) => {
    const task = await ended();
    receiver.answer = answering(410);
    const { queue } = props;
    await expect(
      run({
        queue: {
          postpone: (...args) => queue.postpone(...args),
          moveToDeadLetterQueue:
            call === 'moveToDeadLetterQueue' ? broken : (...args) => queue.moveToDeadLetterQueue(...args),
        },
        tasks: tasksWith({ markWebhookAbandoned: broken }),
      }),
    ).resolves.toHaveLength(1);
    await cloud.clock.advance(20_000);
    await expect(run()).resolves.toEqual([]);
    expect((await cloud.counts('webhooks-dead'))[0]).toBeGreaterThanOrEqual(1);
    expect((await cloud.task(task.id)).webhookAbandonedAt).toBeDefined();
    await expect(cloud.counts('webhooks')).resolves.toEqual([0, 0]);
  });

  test('a record that cannot be read postpones its message alone', async () => {
    await ended();
    const other = await ended();
    const { tasks: real } = props;
    const tasks = tasksWith({ get: (id) => (id === other.id ? real.get(id) : broken()) });
    await expect(run({ tasks })).resolves.toHaveLength(1);
    expect(receiver.received).toHaveLength(1);
  });
});

describe('waits', () => {
  test('stay between a second and twelve hours, and within the time that is left', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2_000 }),
        fc.integer({ min: 1, max: 30 * 86_400_000 }),
        fc.option(fc.oneof(fc.integer({ min: 0, max: 1e9 }).map(String), fc.string()), { nil: undefined }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (number, left, retryAfter, random) => {
          const wait = retryDelayMs({ number, now: 1e12, until: 1e12 + left, retryAfter }, random);
          expect(wait).toBeGreaterThanOrEqual(1_000);
          expect(wait).toBeLessThan(12 * 60 * 60_000);
          expect(wait).toBeLessThanOrEqual(Math.max(1_000, left));
        },
      ),
    );
  });

  test('a date in Retry-After is waited for', () => {
    const now = Date.UTC(2030, 0, 1);
    const retryAfter = new Date(now + 3 * 3_600_000).toUTCString();
    const attempt = { number: 1, now, until: now + 86_400_000 };
    expect(retryDelayMs({ ...attempt, retryAfter }, 0)).toBe(3 * 3_600_000);
    expect(retryDelayMs({ ...attempt, retryAfter: 'soon' }, 0)).toBe(5_000);
  });
});
