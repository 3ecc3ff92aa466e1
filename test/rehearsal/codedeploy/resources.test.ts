import { predefinedShift, readTrafficRouting, stepsOf } from '../../../rehearsal/services/codedeploy/traffic-shift';
import { MINUTE, world } from './support';

describe('the alias', () => {
  test('moves at once on create, when only other properties change, and on the way back', async () => {
    const w = world();
    await w.setUp();
    expect(w.live()).toMatchObject({ version: '1', weights: {} });
    const back = w.update('2', {}, { rollback: true });
    await back.settled;
    expect(w.live()).toMatchObject({ version: '2', weights: {} });
    const same = w.update('2', {}, { from: '2' });
    await same.settled;
    expect(same.state).toEqual({ done: true });
    expect(w.deployments.views()).toEqual([]);
  });

  test('a rollback takes weights away', async () => {
    const w = world();
    await w.setUp({ AutoRollbackConfiguration: { Enabled: false } });
    const { settled } = w.update('2');
    await w.clock.advance(MINUTE);
    w.setAlarm('errors', 'ALARM');
    await w.clock.advance(10_000);
    await settled;
    await w.update('1', {}, { rollback: true, from: '2' }).settled;
    expect(w.live()).toMatchObject({ version: '1', weights: {} });
  });

  test('takes weights of its own, a function ARN, and is deleted', async () => {
    const w = world();
    const request = w.request('A', {
      FunctionName: 'arn:aws:lambda:us-east-1:123456789012:function:router',
      FunctionVersion: '1',
      Name: 'live',
      RoutingConfig: { AdditionalVersionWeights: [{ FunctionVersion: '2', FunctionWeight: '0.5' }] },
    });
    const outcome = await w.handlers.alias.create(request);
    expect(outcome.attributes.AliasArn).toBe(outcome.physicalId);
    expect(w.live()).toMatchObject({ functionName: 'router', weights: { '2': 0.5 } });
    await expect(w.handlers.alias.create(request)).rejects.toThrow('already exists');
    await w.handlers.alias.delete({ ...request, physicalId: outcome.physicalId });
    expect(w.live()).toBeUndefined();
  });

  test('fails an update whose handler would wait longer than 120 minutes', async () => {
    const w = world();
    await w.handlers.config.create(
      w.request('Config', {
        ComputePlatform: 'Lambda',
        DeploymentConfigName: 'slow',
        TrafficRoutingConfig: {
          Type: 'TimeBasedCanary',
          TimeBasedCanary: { CanaryPercentage: 10, CanaryInterval: 150 },
        },
      }),
    );
    await w.setUp({ DeploymentConfigName: 'slow' });
    const { state } = w.update('2');
    await w.clock.advance(121 * MINUTE);
    expect(state.error).toContain('not finished after 120 minutes');
    expect(w.live()).toMatchObject({ version: '1', weights: {} });
  });

  test('refuses an update policy that names no group', async () => {
    const w = world();
    await w.setUp();
    await w.handlers.group.delete({ ...w.request('Group', w.group), physicalId: 'group' });
    const { settled, state } = w.update('2');
    await settled;
    expect(state.error).toContain('no deployment group group');
  });
});

describe('the deployment group', () => {
  test.each([
    ['an application that is not there', { ApplicationName: 'other' }, 'no application other'],
    ['a configuration that is not there', { DeploymentConfigName: 'none' }, 'no deployment configuration none'],
    [
      'more than 10 alarms',
      { AlarmConfiguration: { Enabled: true, Alarms: Array.from({ length: 11 }, (_, i) => ({ Name: `a${i}` })) } },
      '11 alarms',
    ],
    [
      'a style that is not for Lambda',
      { DeploymentStyle: { DeploymentOption: 'WITHOUT_TRAFFIC_CONTROL', DeploymentType: 'IN_PLACE' } },
      'DeploymentStyle',
    ],
  ])('refuses %s', async (_name, over, message) => {
    const w = world();
    await expect(w.setUp(over)).rejects.toThrow(message);
  });
});

test('refuses an application for servers', async () => {
  const w = world();
  await expect(w.handlers.application.create(w.request('App', {}))).rejects.toThrow('not rehearsable');
});

test('a configuration that a group uses cannot be deleted', async () => {
  const w = world();
  const request = w.request('Config', {
    ComputePlatform: 'Lambda',
    DeploymentConfigName: 'mine',
    TrafficRoutingConfig: { Type: 'AllAtOnce' },
  });
  await w.handlers.config.create(request);
  await w.setUp({ DeploymentConfigName: 'mine' });
  await expect(w.handlers.config.delete({ ...request, physicalId: 'mine' })).rejects.toThrow('in use');
});

describe('traffic shifts', () => {
  test('know the predefined ones', () => {
    const shift = predefinedShift('CodeDeployDefault.LambdaLinear10PercentEvery2Minutes');
    expect(shift && stepsOf(shift)).toHaveLength(10);
    expect(predefinedShift('CodeDeployDefault.ECSAllAtOnce')).toBeUndefined();
    expect(predefinedShift('toString')).toBeUndefined();
  });

  test('a linear one ends with what is left', () => {
    const shift = readTrafficRouting({
      Type: 'TimeBasedLinear',
      TimeBasedLinear: { LinearInterval: 1, LinearPercentage: 30 },
    });
    expect(stepsOf(shift).map((step) => step.weight)).toEqual([0.3, 0.6, 0.9, 1]);
  });

  test.each([
    ['100 percent', { CanaryPercentage: 100, CanaryInterval: 5 }],
    ['0 percent', { CanaryPercentage: 0, CanaryInterval: 5 }],
    ['half minutes', { CanaryPercentage: 10, CanaryInterval: 0.5 }],
    ['two days and a minute', { CanaryPercentage: 10, CanaryInterval: 2881 }],
  ])('refuse a canary of %s', (_name, TimeBasedCanary) => {
    expect(() => readTrafficRouting({ Type: 'TimeBasedCanary', TimeBasedCanary })).toThrow('TrafficRoutingConfig');
  });

  test('refuse a linear one of more than two days', () => {
    const TimeBasedLinear = { LinearInterval: 60, LinearPercentage: 1 };
    expect(() => readTrafficRouting({ Type: 'TimeBasedLinear', TimeBasedLinear })).toThrow('2,880');
  });
});
