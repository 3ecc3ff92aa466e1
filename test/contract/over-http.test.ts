import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { RemovalPolicy, Stack } from 'aws-cdk-lib';
import fc from 'fast-check';
import { documentClient } from '../../lambda/shared/aws/clients/dynamodb';
import { AgentService, Webhooks } from '../../lib';
import { MAX_INLINE_BYTES, submitResponseSchema, TaskKey } from '../../lib/contract';
import { RehearsalCloud } from '../../rehearsal/cloud';
import { REHEARSAL_REGION } from '../../rehearsal/core/resource';
import { type AgentUnderTest, findAgent } from '../../rehearsal/drill/scenario/agent-under-test';
import { signRequest } from '../../rehearsal/drill/traffic/api-client';
import { leastProps } from '../support/agent-service';
import { testApp } from '../support/stack';
import { type Answer, DOCUMENT, undocumented } from './support/document';
import { fitting, spoilt } from './support/from-schema';

/**
 * The deployed API, over HTTP, in the rehearsed cloud: routes, signatures, permissions and the functions together answer as
 * the document says.
 */

jest.setTimeout(180_000);

const SUBMIT = '/tasks';
const TASK = '/tasks/{id}';
const FEEDBACK = '/tasks/{id}/feedback';

let cloud: RehearsalCloud;
let agent: AgentUnderTest;

beforeAll(async () => {
  const app = testApp();
  const stack = new Stack(app, 'Api');
  new AgentService(stack, 'Agent', {
    ...leastProps(stack),
    webhooks: Webhooks.signed(),
    removalPolicy: RemovalPolicy.DESTROY,
  });
  const { directory } = app.synth();
  // No provider answers the workers: their tasks wait for another attempt.
  cloud = await RehearsalCloud.start({
    speed: 20,
    seed: 1,
    extraEnvironment: { ANTHROPIC_BASE_URL: 'http://127.0.0.1:9' },
  });
  const { stackName, status, reason } = await cloud.deploy(directory);
  expect([status, reason]).toEqual(['CREATE_COMPLETE', undefined]);
  agent = findAgent(stackName, cloud.stackOutputs(), cloud.resources());
});

afterAll(() => cloud.stop());

async function send(method: 'get' | 'post' | 'delete', path: string, body?: unknown): Promise<Answer> {
  const url = new URL(`${agent.endpoint.replace(/\/$/, '')}${path}`);
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
  const headers = await signRequest(
    {
      method: method.toUpperCase(),
      url,
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      body: text,
    },
    cloud.operatorCredentials,
    Date.now(),
  );
  const response = await fetch(url, {
    method: method.toUpperCase(),
    headers,
    ...(body === undefined ? {} : { body: text }),
  });
  return {
    statusCode: response.status,
    headers: Object.fromEntries(response.headers),
    body: await response.text(),
  };
}

const at = (path: string, id: string) => path.replace('{id}', id);

test('what fits is accepted, can be asked for, and cancelled', async () => {
  const schema = DOCUMENT.components.schemas.SubmitRequest;
  await fc.assert(
    fc.asyncProperty(fitting(schema), async ({ idempotencyKey, webhook, ...request }) => {
      const accepted = await send('post', SUBMIT, {
        ...request,
        user: request.user ?? 'u',
        // Webhooks are delivered here: to a name that is reserved and never resolves.
        ...(webhook === undefined ? {} : { webhook: { url: 'https://hooks.invalid/in' } }),
      });
      expect([accepted.statusCode, ...undocumented(SUBMIT, 'post', accepted)]).toEqual([202]);
      const { id } = submitResponseSchema.parse(JSON.parse(accepted.body));
      const task = await send('get', at(TASK, id));
      expect([task.statusCode, ...undocumented(TASK, 'get', task)]).toEqual([200]);
      const cancelled = await send('delete', at(TASK, id));
      expect(undocumented(TASK, 'delete', cancelled)).toEqual([]);
      expect([200, 202, 409]).toContain(cancelled.statusCode);
    }),
    { numRuns: 20 },
  );
});

test('a large input is accepted', async () => {
  const answer = await send('post', SUBMIT, { input: 'x'.repeat(4 * MAX_INLINE_BYTES), user: 'u' });
  expect([answer.statusCode, ...undocumented(SUBMIT, 'post', answer)]).toEqual([202]);
});

test('refuses what does not fit', async () => {
  const schema = DOCUMENT.components.schemas.SubmitRequest;
  await fc.assert(
    fc.asyncProperty(spoilt(schema), async (body) => {
      const answer = await send('post', SUBMIT, body);
      expect(undocumented(SUBMIT, 'post', answer)).toEqual([]);
      expect(answer.statusCode).toBeLessThan(500);
    }),
    { numRuns: 30 },
  );
});

test('a task that has ended is judged', async () => {
  const id = `t-${'0'.repeat(32)}`;
  const tables = documentClient(
    new DynamoDBClient({
      endpoint: cloud.endpointUrl,
      region: REHEARSAL_REGION,
      credentials: cloud.operatorCredentials,
    }),
  );
  const task = {
    id,
    agent: agent.name,
    status: 'succeeded',
    mode: 'live',
    lane: 'stable',
    priority: 'normal',
    user: 'u',
    requestDigest: 'd',
    input: 1,
    createdAt: 0,
    attempts: 1,
    release: agent.release,
    result: { answer: 42 },
    expiresAt: 10_000_000_000,
  };
  await tables.send(new PutCommand({ TableName: agent.tasksTable, Item: { ...TaskKey.task(id), ...task } }));
  for (const [body, status] of [
    [{ thumb: 'up' }, 200],
    [{ score: 5 }, 400],
  ] as const) {
    const answer = await send('post', at(FEEDBACK, id), body);
    expect([answer.statusCode, ...undocumented(FEEDBACK, 'post', answer)]).toEqual([status]);
  }
});

test.each([
  ['get', TASK],
  ['delete', TASK],
  ['post', FEEDBACK],
] as const)('refuses to %s %s of no task', async (method, path) => {
  const answer = await send(method, at(path, `t-${'f'.repeat(32)}`), method === 'post' ? { thumb: 'up' } : undefined);
  expect([answer.statusCode, ...undocumented(path, method, answer)]).toEqual([404]);
});

test('refuses a request without a signature, in the words of the document', async () => {
  const response = await fetch(`${agent.endpoint}${SUBMIT}`, { method: 'POST', body: '{}' });
  const answer = {
    statusCode: response.status,
    headers: Object.fromEntries(response.headers),
    body: await response.text(),
  };
  expect([answer.statusCode, ...undocumented(SUBMIT, 'post', answer)]).toEqual([403]);
});

test('nothing was denied on the way', () => {
  // Except the agent's key, which belongs to another account and cannot be read.
  const denied = cloud.iam.statistics().denied.filter(({ action }) => !action.startsWith('secretsmanager:'));
  expect(denied).toEqual([]);
  expect(cloud.refusedCalls()).toEqual({});
});
