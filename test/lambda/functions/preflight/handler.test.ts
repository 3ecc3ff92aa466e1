import { GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { Env, envelopeSchema, TaskKey } from '../../../../lib/contract';
import { invocation } from '../../shared/support/fakes';
import { bundledHandler, LocalCloud, messageSent } from '../../shared/support/local-cloud';
import type { StubRequest } from '../../worker/support/http-stub';

const REPORT = 'CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus';
const event = { DeploymentId: 'd-1', LifecycleEventHookExecutionId: 'hook-1' };

let cloud: LocalCloud;
beforeEach(async () => {
  cloud = await LocalCloud.start({ [Env.PREFLIGHT_TIMEOUT_SECONDS]: '120' });
  jest.resetModules();
});
afterEach(() => cloud.close());

/** Plays the candidate's worker: finishes the probe under the trace that came with the message. */
async function work(request: StubRequest) {
  const { MessageBody, MessageSystemAttributes } = request.body as {
    MessageBody: string;
    MessageSystemAttributes: { AWSTraceHeader: { StringValue: string } };
  };
  const { taskId } = envelopeSchema.parse(JSON.parse(MessageBody));
  const Key = TaskKey.task(taskId);
  const { Item } = await cloud.tables.send(new GetCommand({ TableName: 'tasks', Key }));
  expect(Item).toMatchObject({ mode: 'probe', lane: 'candidate', priority: 'high' });
  const release = process.env[Env.RELEASE];
  await cloud.tables.send(
    new UpdateCommand({
      TableName: 'tasks',
      Key,
      UpdateExpression: 'SET #status = :status, #release = :release, #trace = :trace, #result = :result',
      ExpressionAttributeNames: { '#status': 'status', '#release': 'release', '#trace': 'trace', '#result': 'result' },
      ExpressionAttributeValues: {
        ':status': 'succeeded',
        ':release': release,
        ':trace': `${MessageSystemAttributes.AWSTraceHeader.StringValue};Parent=53995c3f42cd8ad8`,
        ':result': { release, checks: [{ name: 'behavior', ok: true, durationMs: 1 }] },
      },
    }),
  );
  return messageSent(request);
}

const reported = () => cloud.requestsOf(REPORT).map(({ body }) => (body as { status: string }).status);

test('a probe that succeeds lets the deployment continue', async () => {
  cloud.answers = { [REPORT]: () => ({ body: {} }), 'AmazonSQS.SendMessage': work };
  await bundledHandler('preflight')(event, invocation());
  expect(cloud.requestsOf(REPORT).map(({ body }) => body)).toEqual([
    { deploymentId: 'd-1', lifecycleEventHookExecutionId: 'hook-1', status: 'Succeeded' },
  ]);
});

test('fails the deployment when no worker answers the probe', async () => {
  // The rehearsal gives a probe some real seconds at least, but no more than this.
  process.env[Env.PREFLIGHT_TIMEOUT_SECONDS] = '2';
  cloud.answers = { [REPORT]: () => ({ body: {} }), 'AmazonSQS.SendMessage': messageSent };
  await bundledHandler('preflight')(event, invocation());
  expect(reported()).toEqual(['Failed']);
});

test('fails the deployment when a setting is missing', async () => {
  delete process.env[Env.QUEUES];
  cloud.answers = { [REPORT]: () => ({ body: {} }) };
  await bundledHandler('preflight')(event, invocation());
  expect(reported()).toEqual(['Failed']);
});

test('fails the deployment when it may not send', async () => {
  cloud.answers = {
    [REPORT]: () => ({ body: {} }),
    'AmazonSQS.SendMessage': () => ({ status: 400, body: { __type: 'AccessDeniedException', message: 'no' } }),
  };
  await bundledHandler('preflight')(event, invocation());
  expect(reported()).toEqual(['Failed']);
});
