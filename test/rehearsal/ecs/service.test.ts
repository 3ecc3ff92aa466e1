import { writeFileSync } from 'node:fs';
import { FailedCreate, ResourceFailure } from '../../../rehearsal/core/resource';
import type { TaskView } from '../../../rehearsal/services/ecs';
import { container, eventually, IDLE, START_MS, World } from './support';

let world: World;

beforeEach(async () => {
  world = await World.open();
});
afterEach(() => world.close());

const MINUTE = 60_000;

/** Sets or ends protection as the container of the task would. */
async function protect(task: TaskView | undefined, on: boolean): Promise<Record<string, unknown>> {
  const line = world.lines().find((one) => one.startsWith('agent ') && one.includes(task?.id ?? 'none'));
  const response = await fetch(`${line?.slice(6)}/task-protection/v1/state`, {
    method: 'PUT',
    body: JSON.stringify({ ProtectionEnabled: on, ...(on ? { ExpiresInMinutes: 60 } : {}) }),
  });
  return (await response.json()) as Record<string, unknown>;
}

const TELLING = `console.log("agent " + process.env.ECS_AGENT_URI); ${IDLE}`;

/** A service of a number of tasks that have registered where their agent is. */
async function serve(count: number, more: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
  const definition = await world.define([container(world.image('first', TELLING))]);
  const properties = await world.launch(definition, { DesiredCount: count, ...more });
  await told(count);
  return { ...properties, DesiredCount: undefined };
}

const told = (count: number) =>
  eventually(() => world.lines().filter((line) => line.startsWith('agent ')).length >= count, `${count} tasks to tell`);

/** A second revision. */
const second = () => world.define([container(world.image('second', TELLING))]);

const byDefinition = () => world.tasks.map(({ definition }) => definition.split(':').at(-1)).sort();
const gone = (id: string | undefined) =>
  eventually(() => world.task(id ?? '').status === 'STOPPED', `the end of task ${id}`);
const DEFERRED = {
  DeploymentConfiguration: {
    EarlySuccessCriteria: { Enable: true, HealthyPercent: 100, SourceServiceRevisionCleanup: 'DEFERRED' },
  },
};
const BREAKER = { DeploymentConfiguration: { DeploymentCircuitBreaker: { Enable: true, Rollback: true } } };

describe('the desired count', () => {
  test('is one for a service whose template gives none, and stays as it is in an update', async () => {
    const properties = await world.launch(await world.define([container(world.image('idle', IDLE))]));
    expect(world.service).toMatchObject({ desired: 1, running: 1, pending: 0 });
    const { physicalId } = await world.update('AWS::ECS::Service', world.service.arn, {
      ...properties,
      DesiredCount: 3,
    });
    await world.pass(START_MS);
    expect(world.service).toMatchObject({ desired: 3, running: 3 });
    await world.update('AWS::ECS::Service', physicalId, properties);
    expect(world.service.desired).toBe(3);
  });

  test('spreads tasks over the zones of the subnets', async () => {
    await serve(4);
    expect(world.tasks.map(({ zone }) => zone)).toEqual(['us-east-1a', 'us-east-1b', 'us-east-1a', 'us-east-1b']);
  });

  test('of less stops tasks that are not protected, and the zones stay even', async () => {
    const properties = await serve(4);
    const [first, , third] = world.tasks;
    await protect(first, true);
    await protect(third, true);
    await world.update('AWS::ECS::Service', world.service.arn, { ...properties, DesiredCount: 2 });
    await eventually(() => world.ecs.tasks().filter(({ status }) => status === 'STOPPED').length === 2, 'two to stop');
    expect(world.tasks.map(({ id }) => id)).toEqual([first?.id, third?.id]);
    expect(world.ecs.tasks()[1]).toMatchObject({ stopCode: 'ServiceSchedulerInitiated' });
  });

  test('of none waits for protected tasks until they are released, or their protection is over', async () => {
    const properties = await serve(2);
    const [first, other] = world.tasks;
    await protect(first, true);
    await protect(other, true);
    await world.update('AWS::ECS::Service', world.service.arn, { ...properties, DesiredCount: 0 });
    expect(world.service).toMatchObject({ desired: 0, running: 2 });
    await protect(first, false);
    await gone(first?.id);
    expect(world.tasks.map(({ id }) => id)).toEqual([other?.id]);
    await world.pass(60 * MINUTE);
    await gone(other?.id);
    expect(world.service).toMatchObject({ running: 0, pending: 0 });
  });
});

describe('a task that is lost', () => {
  test('is replaced, in the zone where one is missing', async () => {
    await serve(2);
    const [first, other] = world.tasks;
    world.ecs.kill(first?.id ?? '');
    await gone(first?.id);
    expect(world.service).toMatchObject({ running: 1, pending: 1 });
    await world.pass(START_MS);
    expect(world.tasks.map(({ zone }) => zone)).toEqual([other?.zone, first?.zone]);
    expect(world.service).toMatchObject({ running: 2, pending: 0 });
  });

  test('to Spot is replaced while it still stops', async () => {
    const slow = 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000);';
    await world.launch(await world.define([container(world.image('slow', slow))]), {
      CapacityProviderStrategy: [
        { CapacityProvider: 'FARGATE', Base: 1 },
        { CapacityProvider: 'FARGATE_SPOT', Weight: 1 },
      ],
      DesiredCount: 3,
    });
    expect(world.tasks.map(({ capacityProvider }) => capacityProvider)).toEqual([
      'FARGATE',
      'FARGATE_SPOT',
      'FARGATE_SPOT',
    ]);
    const spot = world.tasks[1]?.id ?? '';
    world.ecs.reclaim(spot);
    expect(world.service).toMatchObject({ running: 2, pending: 1 });
    expect(world.task(spot).status).toBe('STOPPING');
  });

  test('because it is unhealthy is replaced by a healthy one first', async () => {
    const command = ['CMD-SHELL', 'test ! -e sick || test "$ECS_AGENT_URI" != "$(cat sick)"'];
    const definition = await world.define([
      container(world.image('first', TELLING), { HealthCheck: { Command: command, Interval: 5, Retries: 2 } }),
    ]);
    const creating = world.create('AWS::ECS::Service', 'Service', await world.serviceOf(definition));
    await world.pass(START_MS);
    const healthy = () => world.tasks.filter(({ health }) => health === 'HEALTHY').length;
    await eventually(async () => {
      await world.pass(5_000);
      return healthy() === 1;
    }, 'the first to be healthy');
    await creating;
    const [first] = world.tasks;
    await told(1);
    // From now on the check of this task fails, and of no other.
    writeFileSync(`${world.folder}/sick`, world.lines()[0]?.slice('agent '.length) ?? '');
    await eventually(async () => {
      await world.pass(5_000);
      return world.task(first?.id ?? '').health === 'UNHEALTHY';
    }, 'the first to be unhealthy');
    expect(world.service).toMatchObject({ running: 1, pending: 1 });
    expect(world.task(first?.id ?? '').desiredStatus).toBe('RUNNING');
    await world.pass(START_MS);
    await eventually(async () => {
      await world.pass(5_000);
      return world.task(first?.id ?? '').status === 'STOPPED';
    }, 'the end of the first');
    expect(world.task(first?.id ?? '').stoppedReason).toContain('failed container health checks');
    expect(world.tasks).toMatchObject([{ health: 'HEALTHY' }]);
  });
});

describe('a new revision', () => {
  test('runs beside the old one until it is healthy', async () => {
    const properties = await serve(2);
    const updating = world.update('AWS::ECS::Service', world.service.arn, {
      ...properties,
      TaskDefinition: await second(),
    });
    expect(byDefinition()).toEqual(['1', '1', '2', '2']);
    expect(world.service.deployments).toMatchObject([
      { status: 'PRIMARY', rolloutState: 'IN_PROGRESS', running: 0, pending: 2 },
      { status: 'ACTIVE', rolloutState: 'COMPLETED', running: 2, pending: 0 },
    ]);
    await world.pass(START_MS);
    await updating;
    expect(byDefinition()).toEqual(['2', '2']);
    expect(world.service.deployments).toMatchObject([{ rolloutState: 'COMPLETED', running: 2 }]);
  });

  test('keeps to the most tasks at a time, and to the fewest healthy ones', async () => {
    const rules = { DeploymentConfiguration: { MinimumHealthyPercent: 50, MaximumPercent: 100 } };
    const properties = await serve(2, rules);
    const updating = world.update('AWS::ECS::Service', world.service.arn, {
      ...properties,
      TaskDefinition: await second(),
    });
    expect(byDefinition()).toEqual(['1', '2']);
    await world.pass(START_MS);
    expect(byDefinition()).toEqual(['2', '2']);
    await world.pass(START_MS);
    await updating;
  });

  test('waits for protected tasks of the old one before it is complete', async () => {
    const properties = await serve(1);
    const [old] = world.tasks;
    await protect(old, true);
    let done = false;
    const updating = world
      .update('AWS::ECS::Service', world.service.arn, { ...properties, TaskDefinition: await second() })
      .then(() => {
        done = true;
      });
    await world.pass(START_MS);
    expect(byDefinition()).toEqual(['1', '2']);
    expect(done).toBe(false);
    await protect(old, false);
    await updating;
    expect(byDefinition()).toEqual(['2']);
  });

  test('with deferred clean-up is complete at once, and protected tasks drain afterwards', async () => {
    const properties = await serve(1, DEFERRED);
    const [old] = world.tasks;
    await protect(old, true);
    const updating = world.update('AWS::ECS::Service', world.service.arn, {
      ...properties,
      TaskDefinition: await second(),
    });
    await world.pass(START_MS);
    await updating;
    expect(byDefinition()).toEqual(['1', '2']);
    expect(world.service).toMatchObject({ desired: 1, running: 2 });
    expect(world.service.deployments.map(({ status }) => status)).toEqual(['PRIMARY', 'ACTIVE']);
    await protect(old, false);
    await gone(old?.id);
    expect(byDefinition()).toEqual(['2']);
    expect(world.service.deployments).toHaveLength(1);
  });

  test('has no tasks if the service is to have none', async () => {
    const properties = await serve(1, DEFERRED);
    await world.update('AWS::ECS::Service', world.service.arn, { ...properties, DesiredCount: 0 });
    await world.update('AWS::ECS::Service', world.service.arn, { ...properties, TaskDefinition: await second() });
    expect(world.tasks).toEqual([]);
    expect(world.service.deployments[0]).toMatchObject({ rolloutState: 'COMPLETED' });
  });

  test('is not begun for a change of the desired count or of the rules', async () => {
    const properties = await serve(1);
    await world.update('AWS::ECS::Service', world.service.arn, { ...properties, ...DEFERRED });
    expect(world.ecs.tasks()).toHaveLength(1);
  });

  test('that runs longer than CloudFormation waits fails the update', async () => {
    const properties = await serve(1);
    await protect(world.tasks[0], true);
    const keep = async (): Promise<void> => {
      for (let hour = 0; hour < 4; hour += 1) {
        await world.pass(50 * MINUTE);
        await protect(world.ecs.tasks()[0], true);
      }
    };
    const updating = world.update('AWS::ECS::Service', world.service.arn, {
      ...properties,
      TaskDefinition: await second(),
    });
    const failure = expect(updating).rejects.toThrow(/did not stabilize within 3 hours/);
    await keep();
    await failure;
  });
});

describe('the circuit breaker', () => {
  const CRASHING = 'process.exit(1)';
  const CHECK = { HealthCheck: { Command: ['CMD', 'node', '-e', ''], Interval: 30 } };

  /** Lets failing tasks start and fail, again and again. */
  const fail = (count: number) =>
    eventually(async () => {
      if (world.ecs.tasks().filter(({ status }) => status === 'STOPPED').length >= count) {
        return true;
      }
      // Not while one is about to crash: that takes real time.
      const newest = world.service.deployments[0]?.id;
      if (world.tasks.every(({ deployment, status }) => deployment !== newest || status === 'PROVISIONING')) {
        await world.pass(START_MS);
      }
      return false;
    }, `${count} failed tasks`);

  test('fails the creation after three tasks, and leaves the service to be deleted', async () => {
    const definition = await world.define([container(world.image('crash', CRASHING), CHECK)]);
    const creating = world.create('AWS::ECS::Service', 'Service', await world.serviceOf(definition, BREAKER));
    const failure = creating.catch((error: unknown) => error);
    await fail(3);
    const error = await failure;
    expect(error).toBeInstanceOf(FailedCreate);
    expect(String(error)).toMatch(/ECS Deployment Circuit Breaker was triggered/);
    expect(world.service.deployments[0]).toMatchObject({ rolloutState: 'FAILED', failedTasks: 3 });
    expect(world.tasks).toEqual([]);
    await world.pass(60 * MINUTE);
    expect(world.ecs.tasks()).toHaveLength(3);
    await world.delete('AWS::ECS::Service', (error as FailedCreate).physicalId);
    expect(world.ecs.services()).toEqual([]);
  });

  test('fails an update and goes back to the revision before, whose tasks ran all the time', async () => {
    const properties = await serve(2, BREAKER);
    const before = world.tasks.map(({ id }) => id);
    const broken = await world.define([container(world.image('crash', CRASHING), CHECK)]);
    const updating = world.update('AWS::ECS::Service', world.service.arn, { ...properties, TaskDefinition: broken });
    const failure = updating.catch((error: unknown) => error);
    await fail(3);
    expect(await failure).toBeInstanceOf(ResourceFailure);
    await eventually(() => world.service.deployments.length === 1, 'the failing tasks to end');
    expect(world.tasks.map(({ id }) => id)).toEqual(before);
    expect(world.service.deployments).toMatchObject([{ rolloutState: 'COMPLETED', running: 2 }]);
    // CloudFormation's own way back finds it so.
    await world.update('AWS::ECS::Service', world.service.arn, properties);
    expect(world.tasks.map(({ id }) => id)).toEqual(before);
  });

  test('begins to count from zero when a task becomes healthy', async () => {
    const script = `const fs = require("fs"); if (!fs.existsSync("works")) process.exit(1); ${IDLE}`;
    const definition = await world.define([container(world.image('moody', script), CHECK)]);
    const creating = world.create('AWS::ECS::Service', 'Service', await world.serviceOf(definition, BREAKER));
    await fail(2);
    expect(world.service.deployments[0]?.failedTasks).toBe(2);
    writeFileSync(`${world.folder}/works`, '');
    await eventually(async () => {
      await world.pass(30_000);
      return world.service.deployments[0]?.rolloutState === 'COMPLETED';
    }, 'the deployment');
    await creating;
    expect(world.service.deployments[0]?.failedTasks).toBe(0);
  });
});

describe('deletion', () => {
  test('stops every task, protected ones as well, and waits for them', async () => {
    await serve(2);
    await protect(world.tasks[0], true);
    const ids = world.tasks.flatMap(({ containers }) => containers.map(({ processId }) => processId ?? 0));
    await world.delete('AWS::ECS::Service', world.service.arn);
    expect(world.ecs.services()).toEqual([]);
    expect(ids.map((id) => existsProcess(id))).toEqual([false, false]);
    // What became of its tasks can still be seen.
    expect(world.ecs.tasks().map(({ status }) => status)).toEqual(['STOPPED', 'STOPPED']);
  });

  test('of a cluster or of its capacity fails while a service is there', async () => {
    await serve(1, { CapacityProviderStrategy: [{ CapacityProvider: 'FARGATE_SPOT', Weight: 1 }] });
    await expect(world.delete('AWS::ECS::Cluster', 'cluster')).rejects.toThrow(/ClusterContainsServices/);
    await expect(
      world.update('AWS::ECS::ClusterCapacityProviderAssociations', 'cluster', {
        CapacityProviders: ['FARGATE'],
        Cluster: 'cluster',
        DefaultCapacityProviderStrategy: [],
      }),
    ).rejects.toThrow(/FARGATE_SPOT is in use/);
    await world.delete('AWS::ECS::Service', world.service.arn);
    await world.delete('AWS::ECS::Cluster', 'cluster');
  });
});

describe('a service that ECS would not take', () => {
  test.each([
    ['a load balancer', { LoadBalancers: [] }, /LoadBalancers|Unrecognized key/],
    ['an unknown revision', { TaskDefinition: 'other:1' }, /TaskDefinition is inactive or does not exist: other:1/],
    [
      'early success below the fewest healthy tasks',
      {
        DeploymentConfiguration: {
          EarlySuccessCriteria: { Enable: true, HealthyPercent: 50, SourceServiceRevisionCleanup: 'DEFERRED' },
        },
      },
      /HealthyPercent from MinimumHealthyPercent \(100\) to 100/,
    ],
    ['no room for new tasks', { DeploymentConfiguration: { MaximumPercent: 100 } }, /nothing could ever be replaced/],
    [
      'alarms that decide a deployment',
      { DeploymentConfiguration: { Alarms: { AlarmNames: ['a'], Enable: true, Rollback: true } } },
      /DeploymentConfiguration\.Alarms\.Enable/,
    ],
    [
      'a strategy without weight',
      { CapacityProviderStrategy: [{ CapacityProvider: 'FARGATE' }] },
      /must have a weight greater than 0/,
    ],
  ])('fails for %s', async (_what, more, reason) => {
    const definition = await world.define([container(world.image('idle', IDLE))]);
    const properties = await world.serviceOf(definition, more);
    await expect(world.create('AWS::ECS::Service', 'Service', properties)).rejects.toThrow(reason);
    expect(world.ecs.services()).toEqual([]);
  });

  test('fails for capacity that is not associated with the cluster', async () => {
    const definition = await world.define([container(world.image('idle', IDLE))]);
    const properties = await world.serviceOf(definition, {
      CapacityProviderStrategy: [{ CapacityProvider: 'FARGATE_SPOT', Weight: 1 }],
    });
    await world.update('AWS::ECS::ClusterCapacityProviderAssociations', 'cluster', {
      CapacityProviders: ['FARGATE'],
      Cluster: 'cluster',
      DefaultCapacityProviderStrategy: [],
    });
    await expect(world.create('AWS::ECS::Service', 'Service', properties)).rejects.toThrow(
      /FARGATE_SPOT is not associated with cluster cluster; it has: FARGATE/,
    );
  });
});

function existsProcess(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch {
    return false;
  }
}
