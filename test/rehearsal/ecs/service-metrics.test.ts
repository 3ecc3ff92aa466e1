import { container, IDLE, World } from './support';

const put: { readonly name: string; readonly dimensions: Readonly<Record<string, string>>; readonly value: number }[] =
  [];
let world: World;
afterEach(() => world.close());

test('every running task is one sample a minute, of what its processes use', async () => {
  world = await World.open({
    metrics: {
      put: (namespace, name, dimensions, values, unit) => {
        expect([namespace, unit]).toEqual(['AWS/ECS', 'Percent']);
        put.push(...values.map((value) => ({ name, dimensions, value })));
      },
      ingestLogLine: () => undefined,
      alarm: () => undefined,
      alarms: () => [],
    },
  });
  await world.pass(60_000);
  expect(put).toEqual([]);
  const busy = `const end = Date.now() + 300; while (Date.now() < end); ${IDLE}`;
  await world.launch(await world.define([container(world.image('busy', busy))]), { DesiredCount: 2 });
  const of = (name: string) => put.filter((one) => one.name === name && 'ServiceName' in one.dimensions);
  // A task that starts is none that runs.
  world.ecs.scalable.scaleTo('service/cluster/service', 3);
  await world.pass(60_000 - (world.clock.now() % 60_000));
  expect(of('CPUUtilization')).toHaveLength(2);
  await new Promise((resolve) => setTimeout(resolve, 500));
  put.length = 0;
  await world.pass(60_000);
  const service = { ClusterName: 'cluster', ServiceName: 'service' };
  expect(of('CPUUtilization').map(({ dimensions }) => dimensions)).toEqual([service, service, service]);
  expect(of('CPUUtilization')[0]?.value).toBeGreaterThan(0);
  expect(of('MemoryUtilization')[0]?.value).toBeGreaterThan(0);
  // The cluster has them, too.
  expect(put).toHaveLength(12);
});
