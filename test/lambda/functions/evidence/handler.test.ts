import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { ControlKey, Env } from '../../../../lib/contract';
import { invocation } from '../../shared/support/fakes';
import { bundledHandler, LocalCloud } from '../../shared/support/local-cloud';

const REPORT = 'CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus';
const METRICS = 'GraniteServiceVersion20100801.GetMetricData';
const event = { DeploymentId: 'd-1', LifecycleEventHookExecutionId: 'hook-1' };

let cloud: LocalCloud;
beforeEach(async () => {
  cloud = await LocalCloud.start({ [Env.EVIDENCE_MIN_TASKS]: '20', [Env.EVIDENCE_WAIT_SECONDS]: '2' });
  jest.resetModules();
  const target = { release: process.env[Env.RELEASE], workerVersion: '2', routerVersion: '2' };
  const rollout = { id: 'rollout-1', target, status: 'in_progress', startedAt: Date.now() - 60_000 };
  await cloud.tables.send(new PutCommand({ TableName: 'control', Item: { ...ControlKey.rollout, ...rollout } }));
});
afterEach(() => cloud.close());

test.each([
  [25, 'Succeeded'],
  [3, 'Failed'],
])('with %d finished tasks CodeDeploy is told %s', async (finished, status) => {
  cloud.answers = {
    [REPORT]: () => ({ body: {} }),
    [METRICS]: () => ({ body: { MetricDataResults: [{ Id: 'finished', Timestamps: [0], Values: [finished] }] } }),
  };
  await bundledHandler('evidence')(event, invocation());
  expect(cloud.requestsOf(REPORT).map(({ body }) => body)).toMatchObject([{ status }]);
  expect(cloud.requestsOf(METRICS).length).toBeGreaterThan(0);
});

test('fails the deployment when a setting is missing', async () => {
  delete process.env[Env.EVIDENCE_MIN_TASKS];
  cloud.answers = { [REPORT]: () => ({ body: {} }) };
  await bundledHandler('evidence')(event, invocation());
  expect(cloud.requestsOf(REPORT).map(({ body }) => body)).toMatchObject([{ status: 'Failed' }]);
});
