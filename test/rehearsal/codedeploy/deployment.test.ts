import { MINUTE, world } from './support';

const HOOKS = { BeforeAllowTrafficHook: 'preflight', AfterAllowTrafficHook: 'evidence' };

type World = ReturnType<typeof world>;

/** Reports to the hook that was invoked last. */
async function reportLast({ invocations, call }: World, status: string): Promise<unknown> {
  const payload: unknown = JSON.parse(invocations.at(-1)?.payload ?? '{}');
  const { DeploymentId, LifecycleEventHookExecutionId } = payload as Record<string, string>;
  return call('PutLifecycleEventHookExecutionStatus', {
    deploymentId: DeploymentId,
    lifecycleEventHookExecutionId: LifecycleEventHookExecutionId,
    status,
  });
}

describe('a canary deployment', () => {
  test('keeps the old version and names the new one in the weights, then the new one alone', async () => {
    const w = world();
    await w.setUp();
    const { state } = w.update('2');
    await w.clock.advance(1);
    expect(w.live()).toMatchObject({ version: '1', weights: { '2': 0.1 } });
    await w.clock.advance(5 * MINUTE - 2);
    expect(w.live()).toMatchObject({ version: '1', weights: { '2': 0.1 } });
    expect(state.done).toBe(false);
    await w.clock.advance(2);
    expect(w.live()).toMatchObject({ version: '2', weights: {} });
    expect(state).toEqual({ done: true });
    const [deployment] = w.deployments.views();
    expect(deployment).toMatchObject({
      status: 'Succeeded',
      fromVersion: '1',
      toVersion: '2',
      shifts: [{ weight: 0.1 }, { weight: 1 }],
      alarms: [],
    });
    expect((deployment?.shifts[1]?.at ?? 0) - (deployment?.shifts[0]?.at ?? 0)).toBe(5 * MINUTE);
  });

  test('tells its steps', async () => {
    const w = world();
    await w.setUp();
    w.update('2');
    await w.clock.advance(6 * MINUTE);
    expect(w.events.map((event) => event.event)).toEqual([
      'created',
      'lifecycle',
      'shift',
      'shift',
      'lifecycle',
      'ended',
    ]);
    expect(w.reports).toContain('10 % of router:live on version 2');
  });
});

test('a linear deployment moves by equal steps', async () => {
  const w = world();
  await w.setUp({ DeploymentConfigName: 'CodeDeployDefault.LambdaLinear10PercentEvery1Minute' });
  w.update('2');
  await w.clock.advance(1);
  const seen: (number | undefined)[] = [];
  for (let minute = 0; minute < 9; minute++) {
    seen.push(w.live()?.weights['2']);
    await w.clock.advance(MINUTE);
  }
  expect(seen).toEqual([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]);
  expect(w.live()).toMatchObject({ version: '2', weights: {} });
});

test('a configuration of the template is used', async () => {
  const w = world();
  await w.handlers.config.create(
    w.request('Config', {
      ComputePlatform: 'Lambda',
      DeploymentConfigName: 'quick',
      TrafficRoutingConfig: {
        Type: 'TimeBasedCanary',
        TimeBasedCanary: { CanaryPercentage: '25', CanaryInterval: '2' },
      },
    }),
  );
  await w.setUp({ DeploymentConfigName: 'quick' });
  w.update('2');
  await w.clock.advance(1);
  expect(w.live()?.weights).toEqual({ '2': 0.25 });
  await w.clock.advance(2 * MINUTE);
  expect(w.live()?.version).toBe('2');
});

describe('hooks', () => {
  test('are invoked without waiting for their answer, and hold the deployment until they report', async () => {
    const w = world();
    await w.setUp();
    const { state } = w.update('2', HOOKS);
    await w.clock.advance(MINUTE);
    expect(w.invocations).toMatchObject([{ function: 'preflight', type: 'Event' }]);
    expect(Object.keys(JSON.parse(w.invocations[0]?.payload ?? ''))).toEqual([
      'DeploymentId',
      'LifecycleEventHookExecutionId',
    ]);
    expect(w.live()).toMatchObject({ version: '1', weights: {} });
    await reportLast(w, 'Succeeded');
    await w.clock.advance(5 * MINUTE + 1);
    expect(w.live()).toMatchObject({ version: '2', weights: {} });
    expect(w.invocations.map((invocation) => invocation.function)).toEqual(['preflight', 'evidence']);
    expect(state.done).toBe(false);
    await reportLast(w, 'Succeeded');
    await w.clock.advance(0);
    expect(state).toEqual({ done: true });
    expect(w.deployments.views()[0]?.lifecycle.map((step) => step.status)).toEqual([
      'Succeeded',
      'Succeeded',
      'Succeeded',
    ]);
  });

  test('before traffic that reports Failed: no traffic ever moved', async () => {
    const w = world();
    await w.setUp();
    const { state } = w.update('2', HOOKS);
    await w.clock.advance(MINUTE);
    await reportLast(w, 'Failed');
    await w.clock.advance(0);
    expect(state.error).toContain('hook preflight of BeforeAllowTraffic reported Failed');
    expect(w.deployments.views()[0]).toMatchObject({ status: 'Failed', shifts: [] });
    expect(w.deployments.views()[0]?.lifecycle.map((step) => step.status)).toEqual(['Failed', 'Skipped', 'Skipped']);
    expect(w.live()).toMatchObject({ version: '1', weights: {} });
  });

  test('after traffic that reports Failed: the alias flips back', async () => {
    const w = world();
    await w.setUp();
    const { state } = w.update('2', HOOKS);
    await w.clock.advance(1);
    await reportLast(w, 'Succeeded');
    await w.clock.advance(5 * MINUTE);
    await reportLast(w, 'Failed');
    await w.clock.advance(0);
    expect(state.error).toContain('AfterAllowTraffic reported Failed');
    expect(w.live()).toMatchObject({ version: '1', weights: {} });
    expect(w.deployments.views()[0]?.rolledBackAt).toBe(w.clock.now());
  });

  test('fails one that does not report within the hour', async () => {
    const w = world();
    await w.setUp();
    const { state } = w.update('2', HOOKS);
    await w.clock.advance(60 * MINUTE - 1);
    expect(state.done).toBe(false);
    await w.clock.advance(2);
    expect(state.error).toContain('did not report within 1 h');
  });

  test('a late or unknown report is refused', async () => {
    const w = world();
    await w.setUp();
    w.update('2', HOOKS);
    await w.clock.advance(1);
    await reportLast(w, 'Succeeded');
    await w.clock.advance(1);
    await expect(reportLast(w, 'Succeeded')).rejects.toMatchObject({ code: 'LifecycleEventAlreadyCompletedException' });
    const [{ id } = { id: '' }] = w.deployments.views();
    const put = (input: Record<string, unknown>) => w.call('PutLifecycleEventHookExecutionStatus', input);
    await expect(
      put({ deploymentId: id, lifecycleEventHookExecutionId: 'x', status: 'Succeeded' }),
    ).rejects.toMatchObject({ code: 'InvalidLifecycleEventHookExecutionIdException' });
    await expect(
      put({ deploymentId: 'd-NONE', lifecycleEventHookExecutionId: 'x', status: 'Succeeded' }),
    ).rejects.toMatchObject({ code: 'DeploymentDoesNotExistException' });
    await expect(put({ deploymentId: id, lifecycleEventHookExecutionId: 'x', status: 'Fine' })).rejects.toMatchObject({
      code: 'InvalidLifecycleEventHookExecutionStatusException',
    });
  });
});

describe('alarms', () => {
  test('in ALARM during the shift flip the alias back at once', async () => {
    const w = world();
    await w.setUp();
    const { state } = w.update('2');
    await w.clock.advance(2 * MINUTE);
    w.setAlarm('cost', 'ALARM');
    await w.clock.advance(10_000);
    expect(state.error).toContain('in ALARM: cost (because the test says so)');
    expect(w.live()).toMatchObject({ version: '1', weights: {} });
    expect(w.deployments.views()[0]).toMatchObject({
      status: 'Failed',
      alarms: ['cost'],
      shifts: [{ weight: 0.1 }, { weight: 0 }],
    });
    expect(w.events.map((event) => event.event).slice(-3)).toEqual(['alarm', 'rollback', 'ended']);
  });

  test('in ALARM at the start fail the deployment before any hook', async () => {
    const w = world();
    await w.setUp();
    w.setAlarm('errors', 'ALARM');
    const { state } = w.update('2', HOOKS);
    await w.clock.advance(0);
    expect(state.error).toContain('errors');
    expect(w.invocations).toEqual([]);
  });

  test('are polled while a hook is waited for', async () => {
    const w = world();
    await w.setUp();
    const { state } = w.update('2', HOOKS);
    await w.clock.advance(1);
    await reportLast(w, 'Succeeded');
    await w.clock.advance(6 * MINUTE);
    w.setAlarm('errors', 'ALARM');
    await w.clock.advance(10_000);
    expect(state.error).toContain('errors');
    expect(w.live()?.version).toBe('1');
  });

  test('without data do not stop it', async () => {
    const w = world();
    await w.setUp();
    const { state } = w.update('2');
    await w.clock.advance(6 * MINUTE);
    expect(state).toEqual({ done: true });
  });

  test('that do not exist fail it, unless poll failures are ignored', async () => {
    for (const ignore of [false, true]) {
      const w = world();
      await w.setUp({ AlarmConfiguration: { ...w.group.AlarmConfiguration, IgnorePollAlarmFailure: ignore } });
      w.removeAlarm('cost');
      const { state } = w.update('2');
      await w.clock.advance(6 * MINUTE);
      expect(state.error === undefined).toBe(ignore);
    }
  });

  test('of a disabled configuration are not looked at', async () => {
    const w = world();
    await w.setUp({ AlarmConfiguration: { ...w.group.AlarmConfiguration, Enabled: false } });
    w.setAlarm('errors', 'ALARM');
    const { state } = w.update('2');
    await w.clock.advance(6 * MINUTE);
    expect(state).toEqual({ done: true });
  });
});

test('without automatic rollback the alias stays where it was stopped', async () => {
  const w = world();
  await w.setUp({ AutoRollbackConfiguration: { Enabled: false } });
  const { state } = w.update('2');
  await w.clock.advance(MINUTE);
  w.setAlarm('errors', 'ALARM');
  await w.clock.advance(10_000);
  expect(state.error).toContain('errors');
  expect(w.live()).toMatchObject({ version: '1', weights: { '2': 0.1 } });
});

describe('permissions of the service role', () => {
  test('are asked for what it does', async () => {
    const w = world();
    await w.setUp();
    w.update('2', HOOKS);
    await w.clock.advance(1);
    await reportLast(w, 'Succeeded');
    await w.clock.advance(6 * MINUTE);
    const asked = new Set(w.decisions.map(({ action, resource }) => `${action} ${resource}`));
    expect([...asked].sort()).toEqual([
      'cloudwatch:DescribeAlarms *',
      'lambda:GetAlias arn:aws:lambda:us-east-1:123456789012:function:router',
      'lambda:InvokeFunction arn:aws:lambda:us-east-1:123456789012:function:evidence',
      'lambda:InvokeFunction arn:aws:lambda:us-east-1:123456789012:function:preflight',
      'lambda:UpdateAlias arn:aws:lambda:us-east-1:123456789012:function:router',
    ]);
  });

  test.each(['cloudwatch:DescribeAlarms', 'lambda:UpdateAlias', 'lambda:GetAlias', 'lambda:InvokeFunction'])(
    'fails without %s',
    async (action) => {
      const w = world();
      await w.setUp();
      w.denied.add(action);
      const { state } = w.update('2', HOOKS);
      await w.clock.advance(1);
      if (!state.done) {
        await reportLast(w, 'Succeeded');
        await w.clock.advance(0);
      }
      expect(state.error).toContain(action);
      expect(w.live()).toMatchObject({ version: '1', weights: {} });
    },
  );
});

test('refuses a second deployment of a group while one is in progress', async () => {
  const w = world();
  await w.setUp();
  w.update('2');
  await w.clock.advance(1);
  const second = w.update('3');
  await w.clock.advance(1);
  expect(second.state.error).toContain('one at a time');
});

test('a stop by request ends it, and GetDeployment tells', async () => {
  const w = world();
  await w.setUp({
    AutoRollbackConfiguration: { Enabled: true, Events: ['DEPLOYMENT_STOP_ON_REQUEST'] },
  });
  const { state } = w.update('2');
  await w.clock.advance(MINUTE);
  const [{ id } = { id: '' }] = w.deployments.views();
  await expect(w.call('GetDeployment', { deploymentId: id })).resolves.toMatchObject({
    deploymentInfo: { status: 'InProgress', deploymentGroupName: 'group' },
  });
  await w.call('StopDeployment', { deploymentId: id });
  await w.clock.advance(0);
  expect(state.error).toContain('stopped by request');
  expect(w.live()).toMatchObject({ version: '1', weights: {} });
  await expect(w.call('GetDeployment', { deploymentId: id })).resolves.toMatchObject({
    deploymentInfo: { status: 'Stopped', errorInformation: { code: 'MANUAL_STOP' } },
  });
  await expect(w.call('StopDeployment', { deploymentId: id })).rejects.toMatchObject({
    code: 'DeploymentAlreadyCompletedException',
  });
});

test('leaves no timer behind', async () => {
  const w = world();
  await w.setUp();
  w.update('2', HOOKS);
  await w.clock.advance(1);
  await reportLast(w, 'Succeeded');
  await w.clock.advance(6 * MINUTE);
  await reportLast(w, 'Succeeded');
  await w.clock.advance(0);
  expect(w.deployments.views()[0]?.status).toBe('Succeeded');
  expect(w.clock.timers).toBe(0);
});
