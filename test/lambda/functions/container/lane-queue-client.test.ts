import { SQSClient } from '@aws-sdk/client-sqs';
import { LanePoller } from '../../../../lambda/functions/container/lane-poller';
import { LaneQueueClient } from '../../../../lambda/functions/container/lane-queue-client';
import { DEFAULT_PRIORITY_SHARES, PRIORITIES } from '../../../../lib/contract';
import { OPERATOR_CREDENTIALS } from '../../../../rehearsal/core/principal';
import { ScaledClock } from '../../../../rehearsal/core/scaled-clock';
import { until } from './support/container-process';
import { LaneQueues } from './support/lane-queues';

/** The SDK's client against the rehearsal's SQS, whose time runs so fast. */
const SPEED = 20;
const clock = new ScaledClock({ speed: SPEED });

let queues: LaneQueues;
let client: SQSClient;
let messages: LaneQueueClient;

beforeAll(async () => {
  queues = await LaneQueues.start(clock);
  client = new SQSClient({
    endpoint: queues.endpoint,
    region: 'us-east-1',
    credentials: OPERATOR_CREDENTIALS,
    maxAttempts: 1,
  });
  messages = new LaneQueueClient({ polls: client, client, urls: queues.urls('stable'), hiddenMs: 95_000 });
});

afterAll(async () => {
  client.destroy();
  await queues.close();
});

test('a message comes with what the worker needs, hidden for as long as the worker wants, not as the queue says', async () => {
  await queues.sendText('stable-normal', 'one');
  const [record, ...more] = await messages.receive('normal', 10, 0);
  expect(more).toEqual([]);
  expect(record).toEqual({
    messageId: expect.any(String),
    receiptHandle: expect.any(String),
    body: 'one',
    attributes: { ApproximateReceiveCount: 1 },
  });
  expect(queues.view('stable-normal')).toMatchObject({ visible: 0, notVisible: 1 });
  const hiddenSince = clock.now();
  await until(() => queues.view('stable-normal').visible === 1, 'the message to come back');
  // The queue's own visibility is 120 seconds.
  expect(clock.now() - hiddenSince).toBeLessThan(118_000);
  const [again] = await messages.receive('normal', 10, 0);
  expect(again?.attributes.ApproximateReceiveCount).toBe(2);
  if (again !== undefined) {
    await messages.delete('normal', again);
  }
  expect(queues.view('stable-normal')).toMatchObject({ visible: 0, notVisible: 0 });
});

test('a long poll ends with the first message, and a message that is returned is there at once', async () => {
  const polled = messages.receive('low', 10, 20);
  await queues.sendText('stable-low', 'two');
  const [record] = await polled;
  if (record === undefined) {
    throw new Error('received nothing');
  }
  await messages.requeue('low', record);
  const [again] = await messages.receive('low', 10, 0);
  expect(again?.body).toBe('two');
  if (again !== undefined) {
    await messages.delete('low', again);
  }
});

test('a poller on the wire does all that is in the three queues, and leaves nothing hidden', async () => {
  const bodies = Array.from({ length: 30 }, (_, index) => `task ${index}`);
  for (const [index, body] of bodies.entries()) {
    await queues.sendText(`stable-${PRIORITIES[index % 3]}`, body);
  }
  const done: string[] = [];
  const poller = new LanePoller({
    messages,
    shares: DEFAULT_PRIORITY_SHARES,
    slots: 4,
    protection: { acquire: async () => 'protected', release: async () => {} },
    process: async ({ body }) => {
      await clock.sleep(500);
      done.push(body);
      return 'delete';
    },
    clock,
    random: Math.random,
    logger: { info: () => {}, warn: () => {}, error: () => {} },
  });
  const run = poller.run();
  await until(
    () => done.length >= bodies.length,
    () => `${done.length} of ${bodies.length} tasks`,
  );
  poller.stop();
  await run;
  expect([...done].sort()).toEqual([...bodies].sort());
  expect(queues.left('stable')).toBe(0);
});
