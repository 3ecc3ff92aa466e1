import { container, eventually, IDLE, START_MS, World } from './support';

let world: World;
beforeEach(async () => {
  world = await World.open();
});
afterEach(() => world.close());

test('each content is a revision of its family, and a family alone means its newest active one', async () => {
  const image = world.image('idle', IDLE);
  const first = await world.define([container(image)]);
  const second = await world.define([container(image, { StopTimeout: 60 })]);
  const other = await world.define([container(image)], { Family: 'other' });
  expect([first, second, other].map((arn) => arn.slice(arn.lastIndexOf('/') + 1))).toEqual([
    'family:1',
    'family:2',
    'other:1',
  ]);
  await world.launch('family');
  expect(world.tasks).toMatchObject([{ definition: second }]);
  await world.delete('AWS::ECS::TaskDefinition', second);
  expect(world.ecs.taskDefinitions()).toEqual([
    { arn: first, active: true },
    { arn: second, active: false },
    { arn: other, active: true },
  ]);
});

test('a revision that was deregistered starts nothing new but what a service has of it', async () => {
  const definition = await world.define([container(world.image('idle', IDLE))]);
  const properties = await world.launch(definition);
  await world.delete('AWS::ECS::TaskDefinition', definition);
  const lost = world.tasks[0]?.id ?? '';
  world.ecs.kill(lost);
  await eventually(() => world.task(lost).status === 'STOPPED', 'the end of the task');
  await world.pass(START_MS);
  expect(world.service).toMatchObject({ running: 1 });
  await expect(world.create('AWS::ECS::Service', 'Another', { ...properties, ServiceName: 'another' })).rejects.toThrow(
    `TaskDefinition is inactive or does not exist: ${definition}`,
  );
});

const dependent = (Condition: string, more: Record<string, unknown> = {}) => [
  container('idle', { Name: 'first', ...more }),
  container('idle', { Name: 'second', DependsOn: [{ ContainerName: 'first', Condition }] }),
];

test.each<[string, readonly Record<string, unknown>[], Record<string, unknown>, string]>([
  [
    'a size that Fargate does not have',
    [container('idle')],
    { Memory: '4096' },
    'No Fargate configuration exists for given values: 256 CPU, 4096 memory.',
  ],
  ['two containers of one name', [container('idle'), container('idle')], {}, 'two containers of one name'],
  ['no essential container', [container('idle', { Essential: false })], {}, 'at least one container must be essential'],
  [
    'a dependency that is not there',
    [container('idle', { DependsOn: [{ ContainerName: 'x', Condition: 'START' }] })],
    {},
    'there is no container x',
  ],
  [
    'a dependency without a check that is to be healthy',
    dependent('HEALTHY'),
    {},
    'first has no health check, and is to be HEALTHY',
  ],
  ['an essential dependency that is to end', dependent('SUCCESS'), {}, 'first is essential, and is to be SUCCESS'],
  [
    'a circle',
    [
      container('idle', { Name: 'a', DependsOn: [{ ContainerName: 'b', Condition: 'START' }] }),
      container('idle', { Name: 'b', DependsOn: [{ ContainerName: 'a', Condition: 'START' }] }),
    ],
    {},
    'depend on each other in a circle',
  ],
  [
    'a log without an execution role',
    [container('idle')],
    { ExecutionRoleArn: undefined },
    'to have execution role ARN to support log driver awslogs',
  ],
  ['a stop timeout beyond two minutes', [container('idle', { StopTimeout: 121 })], {}, 'StopTimeout'],
  [
    'a health check more often than every five seconds',
    [container('idle', { HealthCheck: { Command: ['CMD', 'x'], Interval: 4 } })],
    {},
    'HealthCheck.Interval',
  ],
  ['secrets in the environment', [container('idle', { Secrets: [] })], {}, 'Secrets'],
  ['a restart policy', [container('idle', { RestartPolicy: { Enabled: true } })], {}, 'RestartPolicy'],
  ['another working directory', [container('idle', { WorkingDirectory: '/x' })], {}, 'WorkingDirectory'],
  ['another log driver', [container('idle', { LogConfiguration: { LogDriver: 'splunk' } })], {}, 'LogDriver'],
  ['another network mode', [container('idle')], { NetworkMode: 'host' }, 'NetworkMode'],
  [
    'an image that cannot run here',
    [container('unknown')],
    {},
    'not rehearsable: image unknown: no container engine here',
  ],
])('refuses %s', async (_what, containers, more, message) => {
  world.image('idle', IDLE);
  await expect(world.define(containers, more)).rejects.toThrow(message);
  expect(world.ecs.taskDefinitions()).toEqual([]);
});
