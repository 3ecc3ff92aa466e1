import type { ResourceOutcome } from '../../../rehearsal/core/resource';
import { createApplicationAutoScaling } from '../../../rehearsal/services/applicationautoscaling';
import { ManualClock } from '../../support/manual-clock';

const RESOURCE = 'service/cluster/workers';
const TARGET = {
  MaxCapacity: 10,
  MinCapacity: 0,
  ResourceId: RESOURCE,
  ScalableDimension: 'ecs:service:DesiredCount',
  ServiceNamespace: 'ecs',
};

/** Auto scaling over a service that is nothing but a number. */
function world(desired = 1) {
  const clock = new ManualClock();
  const service = { desired, deploying: false };
  const scaling = createApplicationAutoScaling({
    clock,
    services: {
      desiredCount: (id) => (id === RESOURCE ? service.desired : undefined),
      scaleTo: (_id, count) => {
        service.desired = count;
      },
      deploying: () => service.deploying,
    },
  });
  const stack = {
    stackName: 'Test',
    stackId: 'stack',
    region: 'us-east-1',
    account: '123456789012',
    partition: 'aws',
    assemblyDirectory: '',
    clock,
  };
  const handler = (type: string) => {
    const found = scaling.handlers.find((one) => one.type.endsWith(type));
    if (found === undefined) {
      throw new Error(`no handler of ${type}`);
    }
    return found;
  };
  const request = (properties: Record<string, unknown>) => ({
    stack,
    logicalId: 'Resource',
    path: 'Test/Resource',
    properties,
    report: () => undefined,
  });
  const target = (more: Record<string, unknown> = {}) =>
    handler('ScalableTarget').create(request({ ...TARGET, ...more }));
  return {
    clock,
    service,
    scaling,
    target,
    updateTarget: (more: Record<string, unknown>) =>
      handler('ScalableTarget').update({
        ...request({ ...TARGET, ...more }),
        physicalId: `${RESOURCE}|ecs:service:DesiredCount|ecs`,
        previous: TARGET,
        rollback: false,
      }),
    policy: async (
      configuration: Record<string, unknown>,
      more: Record<string, unknown> = {},
    ): Promise<ResourceOutcome> =>
      handler('ScalingPolicy').create(
        request({
          PolicyName: 'out',
          PolicyType: 'StepScaling',
          ScalingTargetId: (await target()).physicalId,
          StepScalingPolicyConfiguration: configuration,
          ...more,
        }),
      ),
    handler,
    stack,
    /** The alarm is so far above (or below) its threshold of 10. */
    alarm: (policy: ResourceOutcome, distance: number) =>
      scaling.port.invoke(policy.physicalId, { alarm: 'load', value: 10 + distance, threshold: 10 }),
  };
}

const exactly = (...steps: readonly (readonly [number, number | undefined, number])[]) => ({
  AdjustmentType: 'ExactCapacity',
  StepAdjustments: steps.map(([from, to, capacity]) => ({
    MetricIntervalLowerBound: from,
    MetricIntervalUpperBound: to,
    ScalingAdjustment: capacity,
  })),
});

describe('a scalable target', () => {
  test.each([
    ['below the minimum', 0, { MinCapacity: 2 }, 2, 'the scalable target was registered with a minimum capacity 2'],
    ['above the maximum', 8, { MaxCapacity: 5 }, 5, 'the scalable target was registered with a maximum capacity 5'],
  ])('brings a capacity %s within its limits at once', async (_what, before, limits, after, cause) => {
    const w = world(before);
    await w.target(limits);
    expect(w.service.desired).toBe(after);
    expect(w.scaling.activities()).toEqual([
      { at: w.clock.now(), resourceId: RESOURCE, from: before, to: after, cause },
    ]);
  });

  test('does so when it is updated, and leaves a capacity within its limits alone', async () => {
    const w = world(4);
    await w.target();
    await w.updateTarget({ MaxCapacity: 4 });
    expect(w.service.desired).toBe(4);
    await w.updateTarget({ MaxCapacity: 3 });
    expect(w.service.desired).toBe(3);
  });

  test.each([
    ['a service that is not there', { ResourceId: 'service/cluster/other' }, "ECS service doesn't exist"],
    ['a minimum above the maximum', { MinCapacity: 11 }, 'Minimum capacity 11 cannot be greater than maximum 10'],
    ['what is no service', { ServiceNamespace: 'dynamodb' }, 'ServiceNamespace'],
    ['scheduled actions', { ScheduledActions: [] }, 'ScheduledActions'],
  ])('refuses %s', async (_what, more, message) => {
    await expect(world().target(more)).rejects.toThrow(message);
  });
});

describe('a step scaling policy', () => {
  test('sets the exact capacity of the step, lower bounds included and upper ones not', async () => {
    const w = world(0);
    const policy = await w.policy({ ...exactly([0, 10, 2], [10, 20, 4], [20, undefined, 8]), Cooldown: 0 });
    for (const [distance, capacity] of [
      [0, 2],
      [9.9, 2],
      [10, 4],
      [20, 8],
      [1_000, 8],
    ] as const) {
      w.service.desired = 0;
      w.alarm(policy, distance);
      expect(w.service.desired).toBe(capacity);
    }
  });

  test('below the threshold includes upper bounds and not lower ones', async () => {
    const w = world(5);
    const policy = await w.policy({
      AdjustmentType: 'ChangeInCapacity',
      Cooldown: 0,
      StepAdjustments: [
        { MetricIntervalLowerBound: -5, MetricIntervalUpperBound: 0, ScalingAdjustment: -1 },
        { MetricIntervalUpperBound: -5, ScalingAdjustment: -3 },
      ],
    });
    w.alarm(policy, -1);
    expect(w.service.desired).toBe(4);
    w.alarm(policy, -5);
    expect(w.service.desired).toBe(1);
  });

  test('does nothing for a value that no step covers', async () => {
    const w = world(1);
    const policy = await w.policy(exactly([5, undefined, 3]));
    w.alarm(policy, 4);
    w.alarm(policy, -1);
    expect(w.service.desired).toBe(1);
    expect(w.scaling.activities()).toEqual([]);
  });

  test('keeps to the limits of its target', async () => {
    const w = world(1);
    const policy = await w.policy({ ...exactly([0, undefined, 50]), Cooldown: 0 });
    w.alarm(policy, 0);
    expect(w.service.desired).toBe(10);
  });

  test.each([
    ['rounds a change above 1 down', 9, 25, undefined, 11],
    ['rounds a change between 0 and 1 to 1', 1, 25, undefined, 2],
    ['rounds a change between -1 and 0 to -1', 2, -25, undefined, 1],
    ['rounds a change below -1 up', 9, -25, undefined, 7],
    ['changes by the least that is asked for', 2, 25, 3, 5],
  ])('in percent %s', async (_what, before, percent, least, after) => {
    const w = world(before);
    w.service.desired = before;
    const policy = await w.policy({
      AdjustmentType: 'PercentChangeInCapacity',
      MinAdjustmentMagnitude: least,
      StepAdjustments: [{ MetricIntervalLowerBound: 0, ScalingAdjustment: percent }],
    });
    await w.updateTarget({ MaxCapacity: 50 });
    w.alarm(policy, 0);
    expect(w.service.desired).toBe(after);
  });

  test('scales during its cooldown only to a larger capacity, and counts what it added already', async () => {
    const w = world(1);
    const policy = await w.policy({
      AdjustmentType: 'ChangeInCapacity',
      Cooldown: 60,
      StepAdjustments: [
        { MetricIntervalLowerBound: 0, MetricIntervalUpperBound: 10, ScalingAdjustment: 2 },
        { MetricIntervalLowerBound: 10, ScalingAdjustment: 3 },
      ],
    });
    w.alarm(policy, 0);
    w.alarm(policy, 0);
    expect(w.service.desired).toBe(3);
    w.alarm(policy, 10);
    expect(w.service.desired).toBe(4);
    await w.clock.advance(60_000);
    w.alarm(policy, 0);
    expect(w.service.desired).toBe(6);
    expect(w.scaling.activities().map(({ from, to }) => [from, to])).toEqual([
      [1, 3],
      [3, 4],
      [4, 6],
    ]);
    expect(w.scaling.activities()[1]?.cause).toBe('policy out, alarm load at 20');
  });

  test('waits after a scale-in for the end of its cooldown, unless something scales out meanwhile', async () => {
    const w = world(8);
    const lower = await w.policy({ ...exactly([0, 5, 6], [5, undefined, 4]), Cooldown: 300 }, { PolicyName: 'in' });
    const more = await w.policy(exactly([0, undefined, 9]), { PolicyName: 'out' });
    w.alarm(lower, 0);
    expect(w.service.desired).toBe(6);
    w.alarm(lower, 5);
    expect(w.service.desired).toBe(6);
    w.alarm(more, 0);
    expect(w.service.desired).toBe(9);
    w.alarm(lower, 5);
    expect(w.service.desired).toBe(4);
    w.alarm(lower, 0);
    // That was to more, which a wait after a scale-in does not hold back.
    expect(w.service.desired).toBe(6);
  });

  test('does not scale in while a deployment is in progress, and scales out all the same', async () => {
    const w = world(4);
    const policy = await w.policy({ ...exactly([0, 10, 2], [10, undefined, 6]), Cooldown: 0 });
    w.service.deploying = true;
    w.alarm(policy, 0);
    expect(w.service.desired).toBe(4);
    w.alarm(policy, 10);
    expect(w.service.desired).toBe(6);
    w.service.deploying = false;
    w.alarm(policy, 0);
    expect(w.service.desired).toBe(2);
  });

  test('does not scale in a direction that is suspended', async () => {
    const w = world(4);
    const policy = await w.policy({ ...exactly([0, 10, 2], [10, undefined, 6]), Cooldown: 0 });
    await w.updateTarget({ SuspendedState: { DynamicScalingInSuspended: true } });
    w.alarm(policy, 0);
    expect(w.service.desired).toBe(4);
    w.alarm(policy, 10);
    expect(w.service.desired).toBe(6);
  });

  test('is gone with its target', async () => {
    const w = world(1);
    const policy = await w.policy(exactly([0, undefined, 3]));
    expect(w.scaling.port.owns(policy.physicalId)).toBe(true);
    await w.handler('ScalableTarget').delete({
      stack: w.stack,
      logicalId: 'Target',
      physicalId: `${RESOURCE}|ecs:service:DesiredCount|ecs`,
      properties: {},
    });
    expect(() => w.alarm(policy, 0)).toThrow('there is no scaling policy');
  });

  test.each([
    ['target tracking', {}, { PolicyType: 'TargetTrackingScaling' }, 'PolicyType'],
    [
      'a target that is not registered',
      exactly([0, undefined, 1]),
      { ScalingTargetId: 'service/a/b|x|ecs' },
      'No scalable target',
    ],
    ['steps that overlap', exactly([0, 10, 1], [5, undefined, 2]), {}, 'overlap or leave a gap'],
    ['steps with a gap', exactly([0, 5, 1], [10, undefined, 2]), {}, 'overlap or leave a gap'],
    ['a step that encloses nothing', exactly([5, 5, 1]), {}, 'enclose nothing'],
    ['a capacity below 0', exactly([0, undefined, -1]), {}, 'an exact capacity cannot be below 0'],
    [
      'a least change without percent',
      { ...exactly([0, undefined, 1]), MinAdjustmentMagnitude: 2 },
      {},
      'is only for PercentChangeInCapacity',
    ],
    ['what it does not know', { ...exactly([0, undefined, 1]), Other: 1 }, {}, 'Other'],
  ])('refuses %s', async (_what, configuration, more, message) => {
    await expect(world().policy(configuration, more)).rejects.toThrow(message);
  });
});
