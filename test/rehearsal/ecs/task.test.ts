import { allow, container, EXECUTION_ROLE, eventually, IDLE, LOG_GROUP, START_MS, TASK_ROLE, World } from './support';

let world: World;

beforeEach(async () => {
  world = await World.open();
});
afterEach(() => world.close());

const alive = (processId: number | undefined): boolean => {
  try {
    process.kill(processId ?? 0, 0);
    return processId !== undefined;
  } catch {
    return false;
  }
};

describe('a task that starts', () => {
  test('runs its containers only after the time that Fargate takes', async () => {
    const definition = await world.define([container(world.image('idle', IDLE))]);
    void world.create('AWS::ECS::Service', 'Service', await world.serviceOf(definition));
    await world.pass(START_MS - 1);
    expect(world.tasks).toMatchObject([{ status: 'PROVISIONING', containers: [{ state: 'PENDING' }] }]);
    await world.pass(1);
    expect(world.tasks).toMatchObject([{ status: 'RUNNING', containers: [{ state: 'RUNNING' }] }]);
  });

  test('writes what its containers print to the log stream of its group, and metrics among it to CloudWatch', async () => {
    const metric = '{"_aws":{"Timestamp":1,"CloudWatchMetrics":[]}}';
    const script = `console.log('out'); console.error('err'); console.log('${metric}'); ${IDLE}`;
    await world.launch(await world.define([container(world.image('chatty', script))]));
    await eventually(() => world.lines().includes('up'), 'the lines of the container');
    expect(world.lines()).toEqual(expect.arrayContaining(['out', 'err', metric]));
    const [task] = world.tasks;
    expect(world.logs.lines(LOG_GROUP)[0]?.stream).toBe(`lane/main/${task?.id}`);
    expect(world.metricLines).toContain(metric);
  });

  test('gives its containers their variables, ports of their own, and nothing of this process', async () => {
    process.env.SECRET_OF_THIS_MACHINE = 'x';
    const script = `console.log(JSON.stringify(process.env)); ${IDLE}`;
    const environment = [
      { Name: 'COLOR', Value: 'red' },
      { Name: 'AGENT_LANES_LANE', Value: 'candidate' },
      { Name: 'AGENT_LANES_WORKER_PORT', Value: '9400' },
      { Name: 'AGENT_LANES_AGENT_PORT', Value: '8080' },
    ];
    await world.launch(await world.define([container(world.image('env', script), { Environment: environment })]), {
      DesiredCount: 2,
    });
    await eventually(() => world.lines().filter((line) => line.startsWith('{')).length === 2, 'both environments');
    const [first, second] = world
      .lines()
      .filter((line) => line.startsWith('{'))
      .map((line): Record<string, string> => JSON.parse(line));
    expect(first).toMatchObject({ COLOR: 'red', AWS_REGION: 'us-east-1', AWS_EXECUTION_ENV: 'AWS_ECS_FARGATE' });
    expect(first).not.toHaveProperty('SECRET_OF_THIS_MACHINE');
    // It was not asked for one.
    expect(first).not.toHaveProperty('PORT');
    const ports = [first, second].flatMap((one) => [one?.AGENT_LANES_WORKER_PORT, one?.AGENT_LANES_AGENT_PORT]);
    expect(new Set(ports).size).toBe(4);
    expect(ports).not.toContain('9400');
    expect(world.tasks.map(({ lane }) => lane)).toEqual(['candidate', 'candidate']);
    delete process.env.SECRET_OF_THIS_MACHINE;
  });

  test.each([
    [
      'an execution role that may not log in to ECR',
      () => world.role(EXECUTION_ROLE, [allow('logs:*')]),
      /unable to retrieve ecr registry auth.*ecr:GetAuthorizationToken/,
    ],
    [
      'an execution role that may not pull',
      () => world.role(EXECUTION_ROLE, [allow('logs:*'), allow('ecr:GetAuthorizationToken')]),
      /CannotPullContainerError.*ecr:BatchGetImage/,
    ],
    [
      'an execution role that may not write logs',
      () => world.role(EXECUTION_ROLE, [allow('ecr:*')]),
      /failed to create Cloudwatch log stream.*logs:CreateLogStream/,
    ],
    [
      'a task role that does not let ECS in',
      () => world.role(TASK_ROLE, [], 'lambda.amazonaws.com'),
      /unable to assume the role .*role\/task/,
    ],
  ])('fails with the reason for %s', async (_what, spoil, reason) => {
    const image = world.image('123456789012.dkr.ecr.us-east-1.amazonaws.com/agents:tag', IDLE);
    const definition = await world.define([container(image)]);
    spoil();
    void world.create('AWS::ECS::Service', 'Service', await world.serviceOf(definition)).catch(() => undefined);
    await world.pass(START_MS);
    await eventually(() => world.ecs.tasks()[0]?.status === 'STOPPED', 'the end of the task');
    const [task] = world.ecs.tasks();
    expect(task).toMatchObject({ stopCode: 'TaskFailedToStart', startedAt: undefined });
    expect(task?.stoppedReason).toMatch(reason);
  });

  test('fails when the execution role may not read the secret of a private registry', async () => {
    const secret = 'arn:aws:secretsmanager:us-east-1:123456789012:secret:registry';
    const definition = await world.define([
      container(world.image('registry.example/agent', IDLE), {
        RepositoryCredentials: { CredentialsParameter: secret },
      }),
    ]);
    void world.create('AWS::ECS::Service', 'Service', await world.serviceOf(definition)).catch(() => undefined);
    await world.pass(START_MS);
    await eventually(() => world.ecs.tasks()[0]?.status === 'STOPPED', 'the end of the task');
    expect(world.ecs.tasks()[0]?.stoppedReason).toMatch(
      /unable to retrieve secret from asm.*secretsmanager:GetSecretValue/,
    );
  });

  test.each([
    [
      'a public image without a way to the internet',
      'public.ecr.aws/x/agent',
      ['internet'],
      /CannotPullContainerError.*i\/o timeout/,
    ],
    [
      'an image of ECR without one of the three endpoints',
      '123456789012.dkr.ecr.us-east-1.amazonaws.com/agents:tag',
      ['s3'],
      /CannotPullContainerError.*no way to s3/,
    ],
    [
      'a log without a way to it',
      'public.ecr.aws/x/agent',
      ['logs'],
      /Check your task network configuration.*no way to logs/,
    ],
  ])('fails for %s', async (_what, image, missing, reason) => {
    await world.close();
    world = await World.open({
      unreachable: ({ subnet }, service) => (missing.includes(service) ? `${subnet}: no way to ${service}` : undefined),
    });
    const definition = await world.define([container(world.image(image, IDLE))]);
    void world.create('AWS::ECS::Service', 'Service', await world.serviceOf(definition)).catch(() => undefined);
    await world.pass(START_MS);
    await eventually(() => world.ecs.tasks()[0]?.status === 'STOPPED', 'the end of the task');
    expect(world.ecs.tasks()[0]?.stoppedReason).toMatch(reason);
  });

  test('tells what its network does not lead to', async () => {
    await world.close();
    world = await World.open({
      unreachable: ({ subnet, publicIp }, service) =>
        service === 'appconfigdata' ? `${subnet} ${publicIp}: no way to ${service}` : undefined,
    });
    await world.launch(await world.define([container(world.image('idle', IDLE))]));
    const [task] = world.tasks;
    const principal = (session: string) => ({ kind: 'role' as const, arn: TASK_ROLE, label: 'service', session });
    expect(world.ecs.unreachable(principal(task?.id ?? ''), 'appconfig')).toBe(
      'subnet-1 false: no way to appconfigdata',
    );
    expect(world.ecs.unreachable(principal(task?.id ?? ''), 'sqs')).toBeUndefined();
    expect(world.ecs.unreachable(principal('another'), 'appconfig')).toBeUndefined();
  });

  test('needs no permission to pull from a public registry', async () => {
    world.role(EXECUTION_ROLE, [allow('logs:*')]);
    await world.launch(await world.define([container(world.image('public.ecr.aws/x/agent@sha256:1', IDLE))]));
    expect(world.tasks).toMatchObject([{ status: 'RUNNING' }]);
  });

  test('fails when its program is not there', async () => {
    const definition = await world.define([container(world.program('odd', ['no-such-program']))]);
    void world.create('AWS::ECS::Service', 'Service', await world.serviceOf(definition)).catch(() => undefined);
    await world.pass(START_MS);
    await eventually(() => world.ecs.tasks()[0]?.status === 'STOPPED', 'the end of the task');
    expect(world.ecs.tasks()[0]?.containers).toMatchObject([{ exitCode: 127 }]);
    expect(world.lines().join()).toContain('no-such-program');
  });
});

describe('containers of one task', () => {
  const spoken = (name: string, then = 'process.exit(0)') =>
    `process.on("SIGTERM", () => { console.log("${name} told"); ${then} }); console.log("${name} up"); setInterval(() => {}, 1000);`;

  test('start after what they depend on and stop before it', async () => {
    const agent = container(world.image('agent', spoken('agent')), { Name: 'agent' });
    const worker = container(
      world.image(
        'worker',
        spoken('worker', 'setTimeout(() => { console.log("worker done"); process.exit(0); }, 200)'),
      ),
      { Name: 'worker', DependsOn: [{ ContainerName: 'agent', Condition: 'START' }] },
    );
    await world.launch(await world.define([worker, agent]));
    await eventually(() => world.lines().filter((line) => line.endsWith('up')).length === 2, 'both to be up');
    const [task] = world.tasks;
    expect(world.ecs.stopTask(task?.id ?? '')).toBe(true);
    await eventually(() => world.task(task?.id ?? '').status === 'STOPPED', 'the end of the task');
    const end = world.lines().filter((line) => !line.endsWith('up'));
    expect(end).toEqual(['worker told', 'worker done', 'agent told']);
    expect(world.task(task?.id ?? '')).toMatchObject({
      stopCode: 'UserInitiated',
      containers: [
        { name: 'worker', exitCode: 0 },
        { name: 'agent', exitCode: 0 },
      ],
    });
  });

  test('wait for a dependency to be healthy', async () => {
    const check = { Command: ['CMD-SHELL', 'test -e ready'], Interval: 5 };
    const agent = container(world.image('agent', IDLE), { Name: 'agent', HealthCheck: check });
    const worker = container(world.image('worker', IDLE), {
      Name: 'worker',
      DependsOn: [{ ContainerName: 'agent', Condition: 'HEALTHY' }],
    });
    const creating = world.create(
      'AWS::ECS::Service',
      'Service',
      await world.serviceOf(await world.define([worker, agent])),
    );
    await world.pass(START_MS);
    const states = () => world.tasks[0]?.containers.map(({ state }) => state);
    await eventually(() => states()?.[1] === 'RUNNING', 'the agent');
    await world.pass(5_000);
    expect(states()).toEqual(['PENDING', 'RUNNING']);
    const { writeFileSync } = await import('node:fs');
    writeFileSync(`${world.folder}/ready`, '');
    await eventually(async () => {
      await world.pass(5_000);
      return states()?.[0] === 'RUNNING';
    }, 'the worker');
    await creating;
    expect(world.tasks[0]).toMatchObject({ status: 'RUNNING', health: 'HEALTHY' });
  });

  test('all end when an essential one does', async () => {
    const main = container(world.image('main', 'setTimeout(() => process.exit(3), 300)'), { Name: 'short' });
    const side = container(world.image('side', IDLE), { Name: 'side' });
    const definition = await world.define([main, side]);
    await world.launch(definition);
    const [task] = world.tasks;
    await eventually(() => world.task(task?.id ?? '').status === 'STOPPED', 'the end of the task');
    expect(world.task(task?.id ?? '')).toMatchObject({
      stopCode: 'EssentialContainerExited',
      stoppedReason: 'Essential container in task exited',
      containers: [
        { name: 'short', exitCode: 3 },
        { name: 'side', exitCode: 0 },
      ],
    });
  });

  test('go on when one that is not essential ends', async () => {
    const main = container(world.image('main', IDLE));
    const side = container(world.image('side', ''), { Name: 'side', Essential: false });
    await world.launch(await world.define([main, side]));
    await eventually(() => world.tasks[0]?.containers[1]?.state === 'STOPPED', 'the end of the side container');
    expect(world.tasks[0]).toMatchObject({ status: 'RUNNING', containers: [{ state: 'RUNNING' }, { exitCode: 0 }] });
  });
});

describe('a task that stops', () => {
  const STUBBORN = 'process.on("SIGTERM", () => console.log("told")); console.log("up"); setInterval(() => {}, 1000);';

  test('is killed when its stop timeout is over', async () => {
    await world.launch(await world.define([container(world.image('stubborn', STUBBORN), { StopTimeout: 60 })]));
    await eventually(() => world.lines().includes('up'), 'the container');
    const id = world.tasks[0]?.id ?? '';
    world.ecs.stopTask(id);
    await eventually(() => world.lines().includes('told'), 'the signal');
    await world.pass(59_999);
    expect(world.task(id)).toMatchObject({ status: 'STOPPING', containers: [{ state: 'RUNNING' }] });
    await world.pass(1);
    await eventually(() => world.task(id).status === 'STOPPED', 'the end of the task');
    expect(world.task(id).containers).toMatchObject([{ exitCode: 137 }]);
  });

  test('on Spot gets two minutes in all, whatever its containers ask for', async () => {
    const agent = container(world.image('agent', STUBBORN), { Name: 'agent', StopTimeout: 60 });
    const worker = container(world.image('worker', STUBBORN), {
      Name: 'worker',
      StopTimeout: 120,
      DependsOn: [{ ContainerName: 'agent', Condition: 'START' }],
    });
    await world.launch(await world.define([agent, worker]), {
      CapacityProviderStrategy: [{ CapacityProvider: 'FARGATE_SPOT', Weight: 1 }],
    });
    await eventually(() => world.lines().filter((line) => line === 'up').length === 2, 'both containers');
    const id = world.tasks[0]?.id ?? '';
    expect(world.ecs.reclaim(id)).toBe(true);
    await eventually(() => world.lines().includes('told'), 'the signal');
    await world.pass(119_999);
    expect(world.task(id).status).toBe('STOPPING');
    await world.pass(1);
    await eventually(() => world.task(id).status === 'STOPPED', 'the end of the task');
    expect(world.task(id)).toMatchObject({
      stopCode: 'SpotInterruption',
      stoppedReason: 'Your Spot Task was interrupted.',
    });
  });

  test('refuses to reclaim capacity that is not on Spot', async () => {
    await world.launch(await world.define([container(world.image('idle', IDLE))]));
    expect(world.ecs.reclaim(world.tasks[0]?.id ?? '')).toBe(false);
  });

  test('takes with it what its process has started', async () => {
    const script = `const c = require("child_process").spawn("sleep", ["1000"]); console.log("child " + c.pid); ${IDLE}`;
    await world.launch(await world.define([container(world.image('parent', script))]));
    await eventually(() => world.lines().some((line) => line.startsWith('child')), 'the child');
    const child = Number(
      world
        .lines()
        .find((line) => line.startsWith('child'))
        ?.slice(6),
    );
    expect(alive(child)).toBe(true);
    world.ecs.stopTask(world.tasks[0]?.id ?? '');
    await eventually(() => !alive(child), 'the end of the child');
  });

  test('ends at once as in a crash', async () => {
    await world.launch(await world.define([container(world.image('idle', IDLE))]));
    const id = world.tasks[0]?.id ?? '';
    expect(world.ecs.kill(id)).toBe(true);
    await eventually(() => world.task(id).status === 'STOPPED', 'the end of the task');
    expect(world.task(id)).toMatchObject({ stopCode: 'EssentialContainerExited', containers: [{ exitCode: 137 }] });
    expect(world.ecs.kill(id)).toBe(false);
  });

  test('stands still for a while and continues', async () => {
    const script = `setInterval(() => console.log("tick"), 20);`;
    await world.launch(await world.define([container(world.image('ticking', script))]));
    await eventually(() => world.lines().length > 3, 'some ticks');
    expect(world.ecs.freeze(world.tasks[0]?.id ?? '', 600)).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const before = world.lines().length;
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(world.lines().length).toBe(before);
    await eventually(() => world.lines().length > before + 3, 'ticks again');
  });
});

test('every process ends with the cloud', async () => {
  await world.launch(await world.define([container(world.image('idle', IDLE))]), { DesiredCount: 2 });
  const processes = world.tasks.flatMap(({ containers }) => containers.map(({ processId }) => processId));
  expect(processes.map(alive)).toEqual([true, true]);
  await world.ecs.stop();
  expect(processes.map(alive)).toEqual([false, false]);
});
