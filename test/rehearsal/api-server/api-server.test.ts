import { createHash } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { CloudWatchClient, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { CodeDeployClient, PutLifecycleEventHookExecutionStatusCommand } from '@aws-sdk/client-codedeploy';
import { GetAliasCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { CreateQueueCommand, ReceiveMessageCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { credentialScope } from '../../../rehearsal/api-server';
import { type Call, type RehearsalService, ServiceError } from '../../../rehearsal/core/service';
import { type Rig, startRig } from './support';

const QUEUE = 'arn:aws:sqs:us-east-1:123456789012:work';
/** The client checks the digest of the body that it sent. */
const SENT = { MessageId: 'm-1', MD5OfMessageBody: createHash('md5').update('hello').digest('hex') };
const calls: Call[] = [];
let answer: (call: Call) => Promise<unknown>;

const sqs: RehearsalService = {
  signingName: 'sqs',
  protocol: 'awsJson1.0',
  operations: ['SendMessage', 'ReceiveMessage'],
  accessDeniedCode: 'AccessDenied',
  queryErrorCodes: { QueueDoesNotExist: 'AWS.SimpleQueueService.NonExistentQueue' },
  authorize: (call) => [{ action: `sqs:${call.operation}`, resource: QUEUE }],
  handle: (call) => {
    calls.push(call);
    return answer(call);
  },
};

const monitoring: RehearsalService = {
  signingName: 'monitoring',
  protocol: 'awsJson1.0',
  operations: ['PutMetricData'],
  queryErrorCodes: {},
  authorize: () => [],
  handle: async (call) => void calls.push(call),
};

const codedeploy: RehearsalService = {
  signingName: 'codedeploy',
  protocol: 'awsJson1.1',
  operations: ['PutLifecycleEventHookExecutionStatus'],
  authorize: () => [{ action: 'codedeploy:PutLifecycleEventHookExecutionStatus', resource: '*' }],
  handle: async ({ input }) => ({ lifecycleEventHookExecutionId: input.lifecycleEventHookExecutionId }),
};

const lambda: RehearsalService = {
  signingName: 'lambda',
  protocol: 'restJson1',
  operations: ['GetAlias'],
  route: ({ method, path }) => {
    const [, FunctionName, Name] = /^\/2015-03-31\/functions\/([^/]+)\/aliases\/([^/]+)$/.exec(path) ?? [];
    return method === 'GET' ? { operation: 'GetAlias', input: { FunctionName, Name } } : undefined;
  },
  authorize: () => [{ action: 'lambda:GetAlias', resource: '*' }],
  handle: async ({ input }) => {
    if (input.Name !== 'live') {
      throw new ServiceError('ResourceNotFoundException', `Cannot find alias arn: ${input.Name}`, 404);
    }
    return { Name: 'live', FunctionVersion: '3', RoutingConfig: { AdditionalVersionWeights: { 4: 0.1 } } };
  },
};

let rig: Rig;

beforeAll(async () => {
  rig = await startRig(() => [sqs, monitoring, codedeploy, lambda]);
});
beforeEach(() => {
  calls.length = 0;
  answer = async () => SENT;
});
afterAll(() => rig.stop());

const send = { QueueUrl: 'http://127.0.0.1/123456789012/work', MessageBody: 'hello' };

describe('protocols, as the SDK clients speak them', () => {
  test('AWS JSON 1.0', async () => {
    const output = await new SQSClient(rig.operator).send(new SendMessageCommand(send));
    expect(output.MessageId).toBe('m-1');
    expect(calls[0]?.input).toMatchObject({ MessageBody: 'hello' });
    expect(output.$metadata.requestId).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('AWS JSON 1.0 with a compressed body', async () => {
    const data = Array.from({ length: 1000 }, (_, index) => ({
      MetricName: `metric-${index}`,
      Value: index,
      Timestamp: new Date(1_700_000_000_000),
    }));
    await new CloudWatchClient(rig.operator).send(new PutMetricDataCommand({ Namespace: 'N', MetricData: data }));
    expect(calls[0]?.headers['content-encoding']).toBe('gzip');
    expect(calls[0]?.input.MetricData).toHaveLength(1000);
    expect(calls[0]?.input.MetricData).toContainEqual({ MetricName: 'metric-7', Value: 7, Timestamp: 1_700_000_000 });
  });

  test('AWS JSON 1.1', async () => {
    const client = new CodeDeployClient(rig.operator);
    const input = { deploymentId: 'd-1', lifecycleEventHookExecutionId: 'hook-1', status: 'Succeeded' as const };
    const output = await client.send(new PutLifecycleEventHookExecutionStatusCommand(input));
    expect(output.lifecycleEventHookExecutionId).toBe('hook-1');
  });

  test('REST JSON', async () => {
    const client = new LambdaClient(rig.operator);
    const output = await client.send(new GetAliasCommand({ FunctionName: 'router', Name: 'live' }));
    expect(output.RoutingConfig).toEqual({ AdditionalVersionWeights: { 4: 0.1 } });
    await expect(client.send(new GetAliasCommand({ FunctionName: 'router', Name: 'gone' }))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      message: 'Cannot find alias arn: gone',
      $metadata: { httpStatusCode: 404 },
    });
  });

  test('an error of a service that spoke the query protocol before has its class and its old code', async () => {
    answer = async () => {
      throw new ServiceError('QueueDoesNotExist', 'The specified queue does not exist.');
    };
    await expect(new SQSClient(rig.operator).send(new SendMessageCommand(send))).rejects.toMatchObject({
      name: 'QueueDoesNotExist',
      message: 'The specified queue does not exist.',
      Error: { Code: 'AWS.SimpleQueueService.NonExistentQueue', Type: 'Sender' },
    });
  });
});

describe('authorization', () => {
  test('a role is let through by its policy', async () => {
    const settings = rig.role('sender', { Effect: 'Allow', Action: 'sqs:SendMessage', Resource: QUEUE });
    await expect(new SQSClient(settings).send(new SendMessageCommand(send))).resolves.toBeDefined();
    expect(calls[0]?.principal).toMatchObject({ kind: 'role', label: 'sender-session' });
  });

  test('refuses what no policy allows, in the words of AWS, and does not call the service', async () => {
    const settings = rig.role('reader', { Effect: 'Allow', Action: 'sqs:ReceiveMessage', Resource: QUEUE });
    await expect(new SQSClient(settings).send(new SendMessageCommand(send))).rejects.toMatchObject({
      name: 'AccessDenied',
      message:
        'User: arn:aws:sts::123456789012:assumed-role/reader/reader-session is not authorized to perform: ' +
        `sqs:SendMessage on resource: ${QUEUE} because no identity-based policy allows the sqs:SendMessage action`,
      $metadata: { httpStatusCode: 403 },
    });
    expect(calls).toEqual([]);
    expect(rig.iam.statistics().denied).toContainEqual(
      expect.objectContaining({ action: 'sqs:SendMessage', resource: QUEUE }),
    );
  });

  test('refuses with AccessDeniedException in JSON and REST JSON', async () => {
    const settings = rig.role('unprivileged');
    const codeDeploy = new CodeDeployClient(settings).send(new PutLifecycleEventHookExecutionStatusCommand({}));
    await expect(codeDeploy).rejects.toMatchObject({ name: 'AccessDeniedException' });
    const alias = new LambdaClient(settings).send(new GetAliasCommand({ FunctionName: 'router', Name: 'live' }));
    await expect(alias).rejects.toMatchObject({
      name: 'AccessDeniedException',
      $metadata: { httpStatusCode: 403 },
    });
  });

  test('refuses an access key that it did not give out', async () => {
    const credentials = { ...rig.operator.credentials, accessKeyId: 'ASIAUNKNOWN' };
    const client = new SQSClient({ ...rig.operator, credentials });
    await expect(client.send(new SendMessageCommand(send))).rejects.toMatchObject({
      name: 'UnrecognizedClientException',
    });
  });

  test('refuses a request without a signature', async () => {
    const response = await fetch(rig.apiServer.url, {
      method: 'POST',
      headers: { 'x-amz-target': 'AmazonSQS.SendMessage' },
    });
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ __type: 'MissingAuthenticationToken' });
  });
});

describe('on the way to a service', () => {
  test('a caller that does not get through has no answer, is named, and reaches nothing', async () => {
    const isolated = rig.role('isolated', { Effect: 'Allow', Action: 'sqs:*', Resource: '*' });
    rig.apiServer.addReachabilityCheck(({ arn }, service) =>
      arn.endsWith('/isolated') ? `there is no endpoint of ${service}` : undefined,
    );
    await expect(new SQSClient(isolated).send(new SendMessageCommand(send))).rejects.toThrow();
    expect(calls).toEqual([]);
    expect(rig.apiServer.refusals()).toMatchObject({ 'sqs by isolated-session: there is no endpoint of sqs': 1 });
    await new SQSClient(rig.operator).send(new SendMessageCommand(send));
    expect(calls).toHaveLength(1);
  });

  test('observers are told of calls that are answered well, and of no others', async () => {
    const seen: string[] = [];
    rig.apiServer.observe((service, { operation, principal }, output) =>
      seen.push(`${service}.${operation} by ${principal.label}: ${JSON.stringify(output)}`),
    );
    await new SQSClient(rig.operator).send(new SendMessageCommand(send));
    answer = async () => {
      throw new ServiceError('QueueDoesNotExist', 'gone');
    };
    await expect(new SQSClient(rig.operator).send(new SendMessageCommand(send))).rejects.toThrow();
    expect(seen).toEqual([`sqs.SendMessage by operator: ${JSON.stringify(SENT)}`]);
  });
});

describe('operations outside the rehearsal', () => {
  test('refuses an unknown operation by name', async () => {
    const call = new SQSClient(rig.operator).send(new CreateQueueCommand({ QueueName: 'new' }));
    await expect(call).rejects.toMatchObject({ name: 'NotRehearsable', message: 'not rehearsable: sqs.CreateQueue' });
    expect(rig.apiServer.refusals()).toMatchObject({ 'sqs.CreateQueue': 1 });
  });

  test('refuses an unknown service by name', async () => {
    const response = await fetch(rig.apiServer.url, {
      method: 'POST',
      headers: {
        authorization:
          'AWS4-HMAC-SHA256 Credential=K/20300101/us-east-1/states/aws4_request, SignedHeaders=host, Signature=0',
        'x-amz-target': 'AWSStepFunctions.StartExecution',
      },
    });
    expect(response.status).toBe(501);
    expect(await response.json()).toEqual({
      __type: 'NotRehearsable',
      message: 'not rehearsable: states.StartExecution',
    });
  });

  test('refuses a body that is no JSON object', async () => {
    const response = await fetch(rig.apiServer.url, {
      method: 'POST',
      body: '[1',
      headers: {
        authorization: `AWS4-HMAC-SHA256 Credential=${rig.operator.credentials.accessKeyId}/20300101/us-east-1/sqs/aws4_request`,
        'x-amz-target': 'AmazonSQS.SendMessage',
      },
    });
    expect(await response.json()).toMatchObject({ __type: 'SerializationException' });
  });

  test('refuses to serve the same signing name twice', () => {
    expect(() => rig.apiServer.add(sqs)).toThrow('service sqs is already served');
  });
});

test('a fault of the rehearsal itself is a 500 and is told', async () => {
  answer = async () => {
    throw new TypeError('a bug');
  };
  const call = new SQSClient(rig.operator).send(new SendMessageCommand(send));
  await expect(call).rejects.toMatchObject({ $metadata: { httpStatusCode: 500 } });
  expect(rig.faults.splice(0)).toEqual([new TypeError('a bug')]);
});

test('a long poll is aborted when the caller disconnects', async () => {
  const aborted = new Promise<unknown>((resolve) => {
    answer = (call) =>
      new Promise((_, reject) =>
        call.signal.addEventListener('abort', () => {
          resolve(call.signal.reason);
          reject(call.signal.reason);
        }),
      );
  });
  const caller = new AbortController();
  const input = { QueueUrl: send.QueueUrl, WaitTimeSeconds: 20 };
  const poll = new SQSClient(rig.operator).send(new ReceiveMessageCommand(input), { abortSignal: caller.signal });
  setTimeout(() => caller.abort(), 50);
  await expect(poll).rejects.toMatchObject({ name: 'AbortError' });
  expect(await aborted).toEqual(new Error('the caller disconnected'));
  expect(rig.faults).toEqual([]);
});

test('does not abort a call that was answered', async () => {
  await new SQSClient(rig.operator).send(new SendMessageCommand(send));
  await new Promise((resolve) => setImmediate(resolve));
  expect(calls[0]?.signal.aborted).toBe(false);
});

test('counts calls by service and operation', async () => {
  const before = rig.apiServer.counts()['sqs.SendMessage'] ?? 0;
  await new SQSClient(rig.operator).send(new SendMessageCommand(send));
  expect(rig.apiServer.counts()['sqs.SendMessage']).toBe(before + 1);
});

describe('mounted handlers', () => {
  test('the longest prefix answers, until it is taken away', async () => {
    const outer = rig.apiServer.mount('/_api', (_, response) => void response.end('outer'));
    const inner = rig.apiServer.mount('/_api/a1', (request, response) => void response.end(`inner ${request.url}`));
    const get = async (path: string) => (await fetch(`${rig.apiServer.url}${path}`)).text();
    expect(await get('/_api/a1/tasks?x=1')).toBe('inner /_api/a1/tasks?x=1');
    expect(await get('/_api/a10')).toBe('outer');
    inner();
    expect(await get('/_api/a1/tasks')).toBe('outer');
    outer();
    expect((await fetch(`${rig.apiServer.url}/_api/a1`)).status).toBe(404);
  });

  test('a handler that fails is a 500', async () => {
    const unmount = rig.apiServer.mount('/_broken', async () => {
      throw new Error('broken');
    });
    expect((await fetch(`${rig.apiServer.url}/_broken`)).status).toBe(500);
    expect(rig.faults.splice(0)).toEqual([new Error('broken')]);
    unmount();
  });

  test('refuses a prefix that could be a path of a service', () => {
    expect(() => rig.apiServer.mount('/2015-03-31', () => {})).toThrow('must start with /_');
  });
});

test('keeps connections alive', async () => {
  const answered = await new Promise<string | undefined>((resolve, reject) => {
    const call = httpRequest(`${rig.apiServer.url}/_nothing`, { headers: { connection: 'keep-alive' } }, (response) => {
      response.resume();
      resolve(response.headers.connection);
    });
    call.on('error', reject).end();
  });
  expect(answered).toBe('keep-alive');
});

test('reads the credential scope of an Authorization header', () => {
  const authorization =
    'AWS4-HMAC-SHA256 Credential=ASIA1/20300101/eu-central-1/execute-api/aws4_request, SignedHeaders=host, Signature=ff';
  expect(credentialScope({ authorization })).toEqual({
    accessKeyId: 'ASIA1',
    region: 'eu-central-1',
    signingName: 'execute-api',
  });
  expect(credentialScope({ authorization: 'Bearer token' })).toBeUndefined();
});
