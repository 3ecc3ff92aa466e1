import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { Env, TaskKey } from '../../../../lib/contract';
import { bundledHandler, LocalCloud, messageSent } from '../../shared/support/local-cloud';
import { answering, type Receiver, startReceiver } from './support';

const ID = `t-${'b'.repeat(32)}`;
const GET_SECRET = 'secretsmanager.GetSecretValue';

let cloud: LocalCloud;
let receiver: Receiver;
beforeAll(async () => {
  receiver = await startReceiver();
  cloud = await LocalCloud.start({
    [Env.WEBHOOK_SECRET]: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:webhooks-AbCdEf',
    [Env.WEBHOOK_RETRY_SECONDS]: '3600',
    [Env.WEBHOOK_PRIVATE_HOSTS]: '["127.0.0.1"]',
  });
  process.env[Env.WEBHOOK_QUEUE] = `${cloud.services.endpoint}/webhooks`;
  process.env[Env.WEBHOOK_DEAD_LETTER_QUEUE] = `${cloud.services.endpoint}/webhooks-dead`;
  cloud.answers = {
    [GET_SECRET]: ({ body }) =>
      (body as { VersionStage: string }).VersionStage === 'AWSCURRENT'
        ? { body: { SecretString: 'key' } }
        : { status: 400, body: { __type: 'ResourceNotFoundException' } },
    'AmazonSQS.ChangeMessageVisibility': () => ({ body: {} }),
    'AmazonSQS.SendMessage': messageSent,
  };
});
afterAll(async () => {
  await cloud.close();
  await receiver.close();
});

const invoke = (body: string) =>
  bundledHandler('webhook')({
    Records: [
      {
        messageId: 'm-1',
        receiptHandle: 'handle',
        body,
        attributes: { ApproximateReceiveCount: '1' },
        messageAttributes: {},
      },
    ],
  });

async function putTask() {
  const task = {
    id: ID,
    agent: 'support',
    status: 'succeeded',
    mode: 'live',
    lane: 'stable',
    priority: 'normal',
    user: 'u',
    requestDigest: 'd',
    createdAt: 0,
    finishedAt: Date.now(),
    attempts: 1,
    result: { answer: 42 },
    webhook: { url: `http://127.0.0.1:${receiver.port}/` },
    expiresAt: 1,
  };
  await cloud.tables.send(new PutCommand({ TableName: 'tasks', Item: { ...TaskKey.task(ID), ...task } }));
}

const message = JSON.stringify({ version: 1, agent: 'support', taskId: ID });

test('a webhook that is not taken comes again, and one that is taken is noted', async () => {
  await putTask();
  receiver.answer = answering(500);
  await expect(invoke(message)).resolves.toEqual({ batchItemFailures: [{ itemIdentifier: 'm-1' }] });
  expect(cloud.requestsOf('AmazonSQS.ChangeMessageVisibility')).toMatchObject([
    { body: { QueueUrl: expect.stringContaining('/webhooks'), ReceiptHandle: 'handle' } },
  ]);
  receiver.answer = answering(200);
  await expect(invoke(message)).resolves.toEqual({ batchItemFailures: [] });
  expect(JSON.parse(receiver.received.at(-1)?.body ?? '')).toMatchObject({ type: 'task.succeeded', data: { id: ID } });
  const { Item } = await cloud.tables.send(new GetCommand({ TableName: 'tasks', Key: TaskKey.task(ID) }));
  expect(Item?.webhookDeliveredAt).toBeGreaterThan(0);
  // The key is read once for both.
  expect(cloud.requestsOf(GET_SECRET)).toHaveLength(2);
});

test('a message that cannot be read goes to the dead-letter queue', async () => {
  await expect(invoke('hello')).resolves.toEqual({ batchItemFailures: [] });
  expect(cloud.requestsOf('AmazonSQS.SendMessage')).toMatchObject([
    { body: { QueueUrl: expect.stringContaining('/webhooks-dead'), MessageBody: 'hello' } },
  ]);
});
