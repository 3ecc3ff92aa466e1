import { describeGate, gatesOf, readGates } from '../../../../rehearsal/drill/observe/gates';
import { hookFailure } from '../../../../rehearsal/drill/observe/hook-failure';
import { abortable, until } from '../../../../rehearsal/drill/observe/wait';
import { matchesPattern } from '../../../../rehearsal/drill/traffic/secrets';

const alarm = (path: string, physicalId: string) => ({
  type: 'AWS::CloudWatch::Alarm',
  path,
  physicalId,
  properties: {},
});

describe('gates', () => {
  const resources = [
    alarm('Stack/Agent/Gates/cost/Resource', 'alarm-cost'),
    alarm('Stack/Agent/Gates/warning/Resource', 'alarm-warning'),
    alarm('Stack/Own/Resource', 'alarm-own'),
    alarm('Stack/Agent/Stable/DeadLetters/Resource', 'alarm-dead-letters'),
    {
      type: 'AWS::CodeDeploy::DeploymentGroup',
      path: 'Stack/Agent/Rollout/DeploymentGroup/Resource',
      physicalId: 'group',
      properties: { AlarmConfiguration: { Alarms: [{ Name: 'alarm-cost' }, { Name: 'alarm-own' }] } },
    },
  ];

  test('are the alarms of the deployment group and the warning alarms, with their names in the app', () => {
    expect(gatesOf(resources)).toEqual([
      { name: 'cost', alarm: 'alarm-cost' },
      { name: 'warning', alarm: 'alarm-warning' },
      { name: 'Own', alarm: 'alarm-own' },
    ]);
  });

  test('have value and threshold, and are omitted without an alarm', () => {
    const view = { arn: 'a', reason: '', hadData: true } as const;
    const readings = readGates(gatesOf(resources), [
      { ...view, name: 'alarm-cost', state: 'ALARM', value: 50.004, threshold: 20 },
    ]);
    expect(readings).toEqual([{ name: 'cost', state: 'ALARM', value: 50.004, threshold: 20 }]);
    expect(readings.map(describeGate)).toEqual(['gate cost in ALARM at 50, threshold 20']);
  });
});

describe('hookFailure', () => {
  const line = (timestamp: number, message: unknown) => ({
    timestamp,
    stream: 's',
    message: typeof message === 'string' ? message : JSON.stringify(message),
  });
  const error = (message: string) => ({ level: 'ERROR', component: 'evidence', message });
  const cloud = {
    logGroups: () => ['Other-Evidence', 'Stack-AgentRolloutEvidenceLogs', 'Stack-Worker'],
    logLines: (group: string) =>
      group === 'Stack-AgentRolloutEvidenceLogs'
        ? [line(1, error('of an earlier deployment')), line(5, error('not enough evidence')), line(6, 'END')]
        : [line(7, error('of another function'))],
  };

  test("is the last error in the log of the stack's hooks since the deployment began", () => {
    expect(hookFailure(cloud, 'Stack', 3)).toBe('not enough evidence');
    expect(hookFailure(cloud, 'Stack', 6)).toBeUndefined();
  });
});

test('in patterns of secret names only * is special', () => {
  expect(matchesPattern('*ProviderKey*', 'arn:aws:secretsmanager:us-east-1:1:secret:SupportProviderKey-x')).toBe(true);
  expect(matchesPattern('key', 'my-key')).toBe(false);
  expect(matchesPattern('a.b', 'axb')).toBe(false);
});

describe('waiting', () => {
  test('until ends when the condition is true, or at the timeout', async () => {
    let looks = 0;
    const { signal } = new AbortController();
    await until(() => ++looks === 3, 10_000, signal);
    expect(looks).toBe(3);
    const start = performance.now();
    await until(() => false, 150, signal);
    expect(performance.now() - start).toBeLessThan(2_000);
  });

  test('pause and until reject at once with the reason of the signal', async () => {
    const abort = new AbortController();
    const endless = abortable(new Promise(() => undefined), abort.signal);
    abort.abort(new Error('interrupted'));
    await expect(endless).rejects.toThrow('interrupted');
    await expect(abortable(Promise.resolve(1), abort.signal)).rejects.toThrow('interrupted');
  });
});
