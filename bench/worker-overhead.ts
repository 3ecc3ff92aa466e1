import { randomBytes } from 'node:crypto';
import {
  DeleteMessageCommand,
  MessageSystemAttributeName,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { documentClient } from '../lambda/shared/aws/clients/dynamodb';
import { lazy } from '../lambda/shared/lazy';
import { envelopeOf } from '../lambda/shared/tasks/task-queues';
import { createHandler } from '../lambda/worker';
import { Env, TaskKey, type TaskRecord } from '../lib/contract';
import { type Comparison, median } from './measure';
import agent from './overhead/agent';
import { accessOf, type RehearsedStack } from './rehearsed-stack';

const WARM_UP = 50;
const PER_ROUND = 50;

/**
 * What the worker's runtime adds to a message: one process takes a message, has the worker's handler run a task of an
 * agent that does nothing, and deletes it; the peer takes a message and deletes it. Both over the wire of the same local
 * cloud, in turns.
 */
export async function workerOverhead(stack: RehearsedStack, rounds: number): Promise<Comparison> {
  const client = new SQSClient(accessOf(stack));
  const records = new TaskRecords(stack);
  const consumer = new Consumer(client);
  const { BareQueue: bareQueue = '', WorkedQueue: workedQueue = '' } = stack.outputs;
  const handler = await asWorker(stack, () => createHandler(agent));
  const bare = (count: number) => consumer.take(bareQueue, count, async () => {});
  const worked = (count: number) =>
    consumer.take(workedQueue, count, async (record) => {
      const { batchItemFailures } = await handler({ Records: [record] }, { getRemainingTimeInMillis: () => 60_000 });
      if (batchItemFailures.length > 0) {
        throw new Error('the worker left a message: its log says why');
      }
    });
  const fill = async (count: number) => {
    for (let sent = 0; sent < count; sent++) {
      const body = JSON.stringify(envelopeOf(await records.put()));
      await client.send(new SendMessageCommand({ QueueUrl: bareQueue, MessageBody: body }));
      await client.send(new SendMessageCommand({ QueueUrl: workedQueue, MessageBody: body }));
    }
  };
  try {
    return await quietly(() =>
      asWorker(stack, async () => {
        await fill(WARM_UP);
        await bare(WARM_UP);
        await worked(WARM_UP);
        const ours: number[] = [];
        const theirs: number[] = [];
        for (let round = 0; round < rounds; round++) {
          await fill(PER_ROUND);
          theirs.push(...(await bare(PER_ROUND)));
          ours.push(...(await worked(PER_ROUND)));
        }
        const [mine, peer] = [median(ours), median(theirs)];
        return {
          name: 'message through the worker',
          peer: 'a bare consumer that receives and deletes',
          unit: 'ms',
          ours: mine,
          theirs: peer,
          ratio: mine / peer,
          rounds,
        };
      }),
    );
  } finally {
    client.destroy();
  }
}

/** One process that takes one message at a time. */
class Consumer {
  constructor(private readonly client: SQSClient) {}

  /** @returns milliseconds of each message, from asking for it to its deletion */
  async take(QueueUrl: string, count: number, work: (record: unknown) => Promise<void>): Promise<number[]> {
    const times: number[] = [];
    for (let taken = 0; taken < count; taken++) {
      const start = performance.now();
      const { Messages = [] } = await this.client.send(
        new ReceiveMessageCommand({
          QueueUrl,
          MaxNumberOfMessages: 1,
          MessageSystemAttributeNames: [MessageSystemAttributeName.All],
        }),
      );
      const [message] = Messages;
      if (message === undefined) {
        throw new Error(`${QueueUrl} is empty after ${taken} of ${count} messages`);
      }
      await work({
        messageId: message.MessageId,
        receiptHandle: message.ReceiptHandle,
        body: message.Body,
        attributes: message.Attributes,
      });
      await this.client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message.ReceiptHandle }));
      times.push(performance.now() - start);
    }
    return times;
  }
}

/** Puts tasks into the table as intake does. */
class TaskRecords {
  private readonly client = lazy(documentClient);

  constructor(private readonly stack: RehearsedStack) {}

  async put(): Promise<TaskRecord> {
    const { agent: deployed, cloud } = this.stack;
    const now = cloud.clock.now();
    const task: TaskRecord = {
      id: `t-${randomBytes(16).toString('hex')}`,
      agent: deployed.name,
      status: 'queued',
      mode: 'live',
      lane: 'stable',
      priority: 'normal',
      user: 'bench',
      requestDigest: '',
      input: { steps: 0 },
      createdAt: now,
      attempts: 0,
      expiresAt: Math.ceil(now / 1000) + 86_400,
    };
    await this.client().send(
      new PutCommand({ TableName: deployed.tasksTable, Item: { ...TaskKey.task(task.id), ...task } }),
    );
    return task;
  }
}

/** Gives this process the environment of the deployed worker while the work lasts. */
async function asWorker<T>(stack: RehearsedStack, work: () => T | Promise<T>): Promise<T> {
  const before = { ...process.env };
  Object.assign(process.env, environmentOf(stack));
  try {
    return await work();
  } finally {
    process.env = before;
  }
}

function environmentOf({ cloud }: RehearsedStack): Record<string, string> {
  const variables = cloud
    .resources()
    .filter(({ type }) => type === 'AWS::Lambda::Function')
    .map(({ properties }) => (properties.Environment as { Variables?: Record<string, string> } | undefined)?.Variables)
    .find((found) => found?.[Env.MAX_ATTEMPTS] !== undefined);
  if (variables === undefined) {
    throw new Error(`the stack has no worker: no function has ${Env.MAX_ATTEMPTS} in its environment`);
  }
  const { accessKeyId, secretAccessKey, sessionToken } = cloud.operatorCredentials;
  return {
    ...variables,
    [Env.CLOCK]: JSON.stringify(cloud.clock.settings()),
    AWS_REGION: 'us-east-1',
    AWS_ENDPOINT_URL: cloud.endpointUrl,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
    POWERTOOLS_LOG_LEVEL: 'ERROR',
  };
}

/** Metrics of the worker go to standard output, where the figures of the bench are to stand alone. */
async function quietly<T>(work: () => Promise<T>): Promise<T> {
  const { write } = process.stdout;
  process.stdout.write = () => true;
  try {
    return await work();
  } finally {
    process.stdout.write = write;
  }
}
