import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { QueryCommand } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import { type AgentContext, defineAgent } from '../../../lambda/runtime';
import { createHandler } from '../../../lambda/worker';
import { Env } from '../../../lib/contract';
import { Output } from './support/output';
import { context, messageFor, modelError, modelMessage, TASKS, TaskCloud } from './support/task-cloud';

/** Each version of the secret, as Secrets Manager and the provider know it. */
const PLANTED = { AWSCURRENT: 'sk-planted-current-7c1e', AWSPREVIOUS: 'sk-planted-previous-93aa' } as const;

const TRACE = 'Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1';

let cloud: TaskCloud;
let output: Output;
let daemon: Socket;
let documents: string[];
const environment = process.env;

beforeAll(async () => {
  cloud = await TaskCloud.start();
  daemon = createSocket('udp4');
  daemon.on('message', (message) => documents.push(message.toString()));
  daemon.bind(0, '127.0.0.1');
  await once(daemon, 'listening');
});

afterAll(async () => {
  daemon.close();
  await cloud.close();
});

beforeEach(() => {
  cloud.reset();
  documents = [];
  process.env = {
    ...environment,
    ...cloud.environment({ [Env.TRANSCRIPTS]: 'on' }),
    AWS_XRAY_DAEMON_ADDRESS: `127.0.0.1:${(daemon.address() as AddressInfo).port}`,
  };
  output = new Output();
  cloud.secrets = ({ body }) => {
    const { VersionStage } = z.object({ VersionStage: z.enum(['AWSCURRENT', 'AWSPREVIOUS']).optional() }).parse(body);
    return { body: { SecretString: PLANTED[VersionStage ?? 'AWSCURRENT'] } };
  };
});

afterEach(() => {
  output.restore();
  process.env = environment;
});

/** Everything that the run of one task leaves anywhere. */
async function tracesOf(run: (ctx: AgentContext) => unknown): Promise<Record<string, string>> {
  const task = await cloud.putTask();
  const agent = defineAgent({ input: z.object({ question: z.string() }), run: (_, ctx) => run(ctx) });
  await createHandler(agent)({ Records: [messageFor(task, { trace: TRACE })] }, context(60_000));
  // Documents come by UDP: no message says when the last has arrived.
  await new Promise((resolve) => setTimeout(resolve, 100));
  const { Items = [] } = await cloud.documents.send(
    new QueryCommand({
      TableName: TASKS,
      KeyConditionExpression: 'pk = :task',
      ExpressionAttributeValues: { ':task': task.id },
    }),
  );
  return {
    logs: output.text,
    traces: documents.join('\n'),
    'record and journal': JSON.stringify(Items),
    'transcripts and payloads': JSON.stringify([...cloud.payloads]),
    messages: JSON.stringify(cloud.queueCalls),
  };
}

function expectClean(places: Record<string, string>): void {
  for (const [place, text] of Object.entries(places)) {
    for (const value of Object.values(PLANTED)) {
      // The place is part of what is compared, so that a failure names it.
      expect({ place, found: text.includes(value) }).toEqual({ place, found: false });
    }
  }
}

/** A provider that repeats the key in what it says. */
const echo = (headers: Readonly<Record<string, unknown>>) => String(headers['x-api-key'] ?? headers.authorization);

test('keys that are not accepted, and that the provider repeats in its error, are left nowhere', async () => {
  cloud.model = ({ headers }) => modelError(401, 'authentication_error', `invalid key ${echo(headers)}`);
  const places = await tracesOf((ctx) => ctx.model.generate({ prompt: 'p' }));
  expect(places.logs).toContain('"stage":"AWSPREVIOUS"');
  expect(places['record and journal']).toContain('model_unauthorized');
  expect(places['transcripts and payloads']).toContain('invalid key');
  expect(places.traces).toContain('invalid key');
  expectClean(places);
});

test('a secret that an agent asks for, logs and throws is left nowhere', async () => {
  cloud.model = () => ({ body: modelMessage('fine') });
  const places = await tracesOf(async (ctx) => {
    const key = await ctx.secret('anthropic');
    ctx.logger.info(`calling with ${key}`, { key, nested: { key } });
    await ctx.model.generate({ prompt: `is ${key} a good key?` });
    await ctx.tool('search', { q: 'x' }, () => {
      throw new Error(`the search did not take ${key}`);
    });
  });
  expect(places.logs).toContain('calling with ***');
  expect(places['transcripts and payloads']).toContain('is *** a good key?');
  expect(places['record and journal']).toContain('the search did not take ***');
  expect(places.traces).toContain('the search did not take ***');
  expectClean(places);
});
