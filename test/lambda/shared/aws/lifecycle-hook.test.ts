import { CodeDeployClient, PutLifecycleEventHookExecutionStatusCommand } from '@aws-sdk/client-codedeploy';
import { type HookResult, runHook } from '../../../../lambda/shared/aws/lifecycle-hook';
import { awsError, CapturedLog, invocation } from '../support/fakes';

const event = { DeploymentId: 'd-1', LifecycleEventHookExecutionId: 'hook-1' };

function setUp(check: (signal: AbortSignal) => Promise<HookResult>, error?: Error) {
  const codeDeploy = new CodeDeployClient({ region: 'us-east-1' });
  const inputs: unknown[] = [];
  jest.spyOn(codeDeploy, 'send').mockImplementation(async (command: unknown) => {
    inputs.push(command instanceof PutLifecycleEventHookExecutionStatusCommand ? command.input : command);
    if (error !== undefined) {
      throw error;
    }
  });
  const log = new CapturedLog();
  return { inputs, log, props: { codeDeploy, logger: log, check } };
}

test.each([
  ['passed', async () => ({ passed: true, reason: 'all well' }), 'Succeeded', 'info', 'all well'],
  ['failed', async () => ({ passed: false, reason: 'no answer' }), 'Failed', 'error', 'no answer'],
  ['threw', () => Promise.reject(new TypeError('bug')), 'Failed', 'error', 'the check itself failed: TypeError: bug'],
] as const)('CodeDeploy is told of a check that %s', async (_, check, status, level, reason) => {
  const { inputs, log, props } = setUp(check);
  await runHook(event, invocation(), props);
  expect(inputs).toEqual([{ deploymentId: 'd-1', lifecycleEventHookExecutionId: 'hook-1', status }]);
  expect(log.find(reason)).toMatchObject({ level, fields: { deployment: 'd-1' } });
});

test('CodeDeploy is told of a check that ran out of time', async () => {
  const { inputs, log, props } = setUp(() => new Promise(() => {}));
  await runHook(event, invocation(10_030), props);
  expect(inputs).toMatchObject([{ status: 'Failed' }]);
  expect(log.find("shortly before the function's timeout").level).toBe('error');
});

test('a verdict that CodeDeploy already has is no failure', async () => {
  const { log, props } = setUp(
    async () => ({ passed: true, reason: 'all well' }),
    awsError('LifecycleEventAlreadyCompletedException'),
  );
  await runHook(event, invocation(), props);
  expect(log.find('already').level).toBe('warn');
});

test('fails when CodeDeploy cannot be told, so that Lambda invokes the hook again', async () => {
  const { props } = setUp(async () => ({ passed: true, reason: 'all well' }), awsError('AccessDeniedException'));
  await expect(runHook(event, invocation(), props)).rejects.toThrow('AccessDeniedException');
});

test("fails for an event that is not a hook's", async () => {
  const { inputs, props } = setUp(async () => ({ passed: true, reason: 'all well' }));
  await expect(runHook({ DeploymentId: 'd-1' }, invocation(), props)).rejects.toThrow('LifecycleEventHookExecutionId');
  expect(inputs).toEqual([]);
});
