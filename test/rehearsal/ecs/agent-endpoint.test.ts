import { fromHttp } from '@aws-sdk/credential-provider-http';
import { NO_FAULTS, ResponseLost } from '../../../rehearsal/core/faults';
import { ServiceError } from '../../../rehearsal/core/service';
import { allow, container, eventually, IDLE, START_MS, TASK_ROLE, World } from './support';

let world: World;

afterEach(() => world.close());

interface Told {
  readonly ECS_AGENT_URI: string;
  readonly ECS_CONTAINER_METADATA_URI_V4: string;
  readonly AWS_CONTAINER_CREDENTIALS_FULL_URI: string;
  readonly AWS_CONTAINER_AUTHORIZATION_TOKEN: string;
}

/** Starts a service of a number of tasks. @returns what the container of each received */
async function told(count = 1, more: Record<string, unknown> = {}): Promise<readonly Told[]> {
  const script = `console.log(JSON.stringify(process.env)); ${IDLE}`;
  await world.launch(await world.define([container(world.image('telling', script))]), {
    DesiredCount: count,
    ...more,
  });
  return tell(count);
}

/** What a number of containers received, in the order of their tasks. */
async function tell(count: number): Promise<readonly Told[]> {
  const lines = () => world.lines().filter((line) => line.startsWith('{'));
  await eventually(() => lines().length === count, 'the containers to tell');
  return lines()
    .map((line): Told => JSON.parse(line))
    .sort((a, b) => order(a) - order(b));
}

/** Place of a container's task among the tasks. */
const order = ({ ECS_AGENT_URI }: Told) => world.tasks.findIndex(({ id }) => ECS_AGENT_URI.includes(id));

async function call(
  one: Told | undefined,
  method: string,
  body?: unknown,
): Promise<{ readonly status: number; readonly body: unknown }> {
  const response = await fetch(`${one?.ECS_AGENT_URI}/task-protection/v1/state`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  return { status: response.status, body: await response.json() };
}

describe('task protection', () => {
  test('is set for two hours unless said otherwise, read, renewed and released', async () => {
    world = await World.open();
    const [one] = await told();
    const arn = world.tasks[0]?.arn;
    const none = { ExpirationDate: null, ProtectionEnabled: false, TaskArn: arn };
    const until = (minutes: number) => ({
      ExpirationDate: new Date(world.clock.now() + minutes * 60_000).toISOString(),
      ProtectionEnabled: true,
      TaskArn: arn,
    });
    expect(await call(one, 'GET')).toEqual({ status: 200, body: { protection: none } });
    expect(await call(one, 'PUT', { ProtectionEnabled: true })).toEqual({
      status: 200,
      body: { protection: until(120) },
    });
    await world.pass(60_000);
    expect(await call(one, 'PUT', { ProtectionEnabled: true, ExpiresInMinutes: 5 })).toEqual({
      status: 200,
      body: { protection: until(5) },
    });
    expect(await call(one, 'GET')).toMatchObject({ body: { protection: until(5) } });
    expect(world.tasks[0]).toMatchObject({ protected: true, protectedUntil: world.clock.now() + 300_000 });
    expect(await call(one, 'PUT', { ProtectionEnabled: false })).toEqual({ status: 200, body: { protection: none } });
    await call(one, 'PUT', { ProtectionEnabled: true, ExpiresInMinutes: 5 });
    await world.pass(300_000);
    expect(await call(one, 'GET')).toMatchObject({ body: { protection: none } });
  });

  test.each([
    [{}, "does not contain 'ProtectionEnabled' field"],
    [{ ProtectionEnabled: 'yes' }, 'failed to decode request'],
    [{ ProtectionEnabled: true, Other: 1 }, 'failed to decode request'],
    [{ ProtectionEnabled: true, ExpiresInMinutes: 2_881 }, 'expected 1 to 2880'],
  ])('refuses %j', async (body, message) => {
    world = await World.open();
    const [one] = await told();
    const answer = await call(one, 'PUT', body);
    expect(answer).toMatchObject({
      status: 400,
      body: { error: { Arn: world.tasks[0]?.arn, Code: 'InvalidParameterException' } },
    });
    expect(JSON.stringify(answer.body)).toContain(message);
  });

  test('is denied to a role that may not', async () => {
    world = await World.open();
    const [one] = await told();
    const arn = world.tasks[0]?.arn ?? '';
    world.role(TASK_ROLE, [allow('ecs:GetTaskProtection', 'arn:aws:ecs:us-east-1:123456789012:task/cluster/*')]);
    expect((await call(one, 'GET')).status).toBe(200);
    expect(await call(one, 'PUT', { ProtectionEnabled: true })).toEqual({
      status: 400,
      body: {
        requestID: expect.any(String),
        error: {
          Arn: arn,
          Code: 'AccessDeniedException',
          Message: expect.stringContaining(`ecs:UpdateTaskProtection on resource: ${arn}`),
        },
      },
    });
    expect(world.iam.statistics().denied).toMatchObject([{ action: 'ecs:UpdateTaskProtection', resource: arn }]);
  });

  test('may be allowed for one cluster by condition', async () => {
    world = await World.open();
    const [one] = await told();
    const cluster = 'arn:aws:ecs:us-east-1:123456789012:cluster/cluster';
    world.role(TASK_ROLE, [{ ...allow('ecs:*'), Condition: { ArnEquals: { 'ecs:cluster': cluster } } }]);
    expect((await call(one, 'PUT', { ProtectionEnabled: true })).status).toBe(200);
  });

  test('fails for a task that is told to stop', async () => {
    world = await World.open();
    const stubborn =
      'process.on("SIGTERM", () => {}); console.log(JSON.stringify(process.env)); setInterval(() => {}, 99);';
    await world.launch(await world.define([container(world.image('stubborn', stubborn))]));
    await eventually(() => world.lines().length === 1, 'the container to tell');
    const one: Told = JSON.parse(world.lines()[0] ?? '');
    const arn = world.tasks[0]?.arn;
    world.ecs.stopTask(world.tasks[0]?.id ?? '');
    expect(await call(one, 'PUT', { ProtectionEnabled: true })).toEqual({
      status: 200,
      body: { failure: { Arn: arn, Detail: null, Reason: 'TASK_NOT_VALID' } },
    });
  });

  test('fails while it would keep a deployment from its end', async () => {
    world = await World.open();
    const [one] = await told();
    await call(one, 'PUT', { ProtectionEnabled: true });
    const next = await world.define([container('telling')]);
    const properties = await world.serviceOf(next, { DesiredCount: 1 });
    const updating = world.update('AWS::ECS::Service', world.service.arn, properties);
    await world.pass(START_MS);
    const [, other] = await tell(2);
    expect(await call(other, 'PUT', { ProtectionEnabled: true })).toMatchObject({
      status: 200,
      body: { failure: { Reason: 'DEPLOYMENT_BLOCKED' } },
    });
    // One that is protected already may go on, for it alone is no more than there are to be.
    expect(await call(one, 'PUT', { ProtectionEnabled: true })).toMatchObject({ body: { protection: {} } });
    await call(one, 'PUT', { ProtectionEnabled: false });
    await updating;
    expect(await call(other, 'PUT', { ProtectionEnabled: true })).toMatchObject({ body: { protection: {} } });
  });

  test('is renewed while the service is to have fewer tasks, if no deployment is in progress', async () => {
    world = await World.open();
    const [one] = await told();
    await call(one, 'PUT', { ProtectionEnabled: true });
    world.ecs.scalable.scaleTo('service/cluster/service', 0);
    expect(await call(one, 'PUT', { ProtectionEnabled: true })).toMatchObject({ body: { protection: {} } });
  });

  test('meets the faults that are asked for, as calls of the service', async () => {
    const met: string[] = [];
    let fault: Error | undefined;
    world = await World.open({
      faults: {
        ...NO_FAULTS,
        aroundCall: async (service, { operation, principal }, run) => {
          met.push(`${service}.${operation} by ${principal.label} (${principal.session})`);
          if (fault !== undefined) {
            throw fault;
          }
          return run();
        },
      },
    });
    const [one] = await told();
    await call(one, 'PUT', { ProtectionEnabled: true });
    expect(met).toEqual([`ecs.UpdateTaskProtection by service (${world.tasks[0]?.id})`]);
    fault = new ServiceError('ThrottlingException', 'Rate exceeded');
    expect(await call(one, 'GET')).toMatchObject({ status: 400, body: { error: { Code: 'ThrottlingException' } } });
    fault = new ResponseLost('lost');
    await expect(call(one, 'GET')).rejects.toThrow();
  });

  test('ends with the task', async () => {
    world = await World.open();
    const [one] = await told();
    const { id = '' } = world.tasks[0] ?? {};
    world.ecs.stopTask(id);
    await eventually(() => world.task(id).status === 'STOPPED', 'the end of the task');
    expect(await call(one, 'GET')).toMatchObject({
      status: 404,
      body: { error: { Code: 'ResourceNotFoundException' } },
    });
  });
});

test('metadata tell the task, its zone and its containers', async () => {
  world = await World.open();
  const [one] = await told();
  const [task] = world.tasks;
  const read = async (path: string): Promise<unknown> =>
    (await fetch(`${one?.ECS_CONTAINER_METADATA_URI_V4}${path}`)).json();
  expect(await read('/task')).toMatchObject({
    AvailabilityZone: 'us-east-1a',
    Cluster: 'arn:aws:ecs:us-east-1:123456789012:cluster/cluster',
    Family: 'family',
    KnownStatus: 'RUNNING',
    LaunchType: 'FARGATE',
    Revision: '1',
    TaskARN: task?.arn,
    Containers: [{ Name: 'main', Image: 'telling', KnownStatus: 'RUNNING' }],
  });
  expect(await read('')).toMatchObject({ Name: 'main', LogOptions: { 'awslogs-stream': `lane/main/${task?.id}` } });
});

test('credentials are those of the task role, for the SDK as it is', async () => {
  world = await World.open();
  const [one] = await told();
  const credentials = await fromHttp({
    awsContainerCredentialsFullUri: one?.AWS_CONTAINER_CREDENTIALS_FULL_URI ?? '',
    awsContainerAuthorizationToken: one?.AWS_CONTAINER_AUTHORIZATION_TOKEN ?? '',
  })();
  expect(world.iam.principalOf(credentials.accessKeyId)).toEqual({
    kind: 'role',
    arn: TASK_ROLE,
    label: 'service',
    session: world.tasks[0]?.id,
  });
  expect(credentials.expiration?.getTime()).toBeGreaterThan(Date.now() + 3_600_000);
  const stolen = await fetch(one?.AWS_CONTAINER_CREDENTIALS_FULL_URI ?? '');
  expect(stolen.status).toBe(400);
});
