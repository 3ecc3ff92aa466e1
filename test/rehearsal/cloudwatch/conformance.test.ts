import {
  CloudWatchClient,
  DescribeAlarmsCommand,
  GetMetricDataCommand,
  PutMetricDataCommand,
} from '@aws-sdk/client-cloudwatch';
import {
  CodeDeployClient,
  GetDeploymentCommand,
  PutLifecycleEventHookExecutionStatusCommand,
} from '@aws-sdk/client-codedeploy';
import { ApiServer } from '../../../rehearsal/api-server';
import { OPERATOR_CREDENTIALS } from '../../../rehearsal/core/principal';
import { readAlarm } from '../../../rehearsal/services/cloudwatch/alarm-definition';
import { CloudWatchState } from '../../../rehearsal/services/cloudwatch/model';
import { CloudWatchOperations } from '../../../rehearsal/services/cloudwatch/operations';
import { createIam } from '../../../rehearsal/services/iam';
import { ManualClock } from '../../support/manual-clock';
import { world } from '../codedeploy/support';

/** The real SDK clients against the API server. */
describe('as the SDK speaks to it', () => {
  const { iam } = createIam();
  const clock = new ManualClock();
  const cloudWatch = new CloudWatchState({ clock, sns: { publish: () => undefined } });
  const deploy = world();
  let apiServer: ApiServer;
  let metrics: CloudWatchClient;
  let codeDeploy: CodeDeployClient;

  beforeAll(async () => {
    apiServer = await ApiServer.start({ iam });
    apiServer.add(new CloudWatchOperations(cloudWatch), deploy.service);
    const settings = {
      endpoint: apiServer.url,
      region: 'us-east-1',
      credentials: OPERATOR_CREDENTIALS,
      maxAttempts: 1,
    };
    metrics = new CloudWatchClient(settings);
    codeDeploy = new CodeDeployClient(settings);
  });

  afterAll(async () => {
    metrics.destroy();
    codeDeploy.destroy();
    await apiServer.stop();
  });

  test('PutMetricData, then GetMetricData with metric math', async () => {
    const start = new Date(clock.now());
    await metrics.send(
      new PutMetricDataCommand({
        Namespace: 'AgentLanes',
        MetricData: [
          { MetricName: 'TaskCost', Dimensions: [{ Name: 'Agent', Value: 'a' }], Values: [1, 3], Timestamp: start },
        ],
      }),
    );
    const result = await metrics.send(
      new GetMetricDataCommand({
        StartTime: start,
        EndTime: new Date(clock.now() + 120_000),
        ScanBy: 'TimestampAscending',
        MetricDataQueries: [
          {
            Id: 'm',
            ReturnData: false,
            MetricStat: {
              Metric: {
                Namespace: 'AgentLanes',
                MetricName: 'TaskCost',
                Dimensions: [{ Name: 'Agent', Value: 'a' }],
              },
              Period: 60,
              Stat: 'Average',
            },
          },
          { Id: 'e', Expression: 'FILL(m, 0) + 1' },
        ],
      }),
    );
    expect(result.MetricDataResults).toMatchObject([
      { Id: 'e', Values: [3, 1], Timestamps: [start, new Date(start.getTime() + 60_000)], StatusCode: 'Complete' },
    ]);
  });

  test('DescribeAlarms', async () => {
    cloudWatch.alarmList.put(
      readAlarm('gate', {
        Namespace: 'N',
        MetricName: 'M',
        Period: 60,
        Statistic: 'Sum',
        Threshold: 1,
        ComparisonOperator: 'GreaterThanThreshold',
        EvaluationPeriods: 1,
      }),
      'arn:aws:cloudwatch:us-east-1:123456789012:alarm:gate',
    );
    const { MetricAlarms } = await metrics.send(new DescribeAlarmsCommand({ AlarmNames: ['gate'] }));
    expect(MetricAlarms).toMatchObject([
      { AlarmName: 'gate', StateValue: 'INSUFFICIENT_DATA', StateUpdatedTimestamp: new Date(clock.now()) },
    ]);
  });

  test('an error has the name that the SDK knows', async () => {
    await expect(
      metrics.send(
        new GetMetricDataCommand({
          StartTime: new Date(0),
          EndTime: new Date(600_000),
          MetricDataQueries: [{ Id: 'e', Expression: 'RATE(m)', Period: 60 }],
        }),
      ),
    ).rejects.toMatchObject({ message: expect.stringContaining('RATE'), $metadata: { httpStatusCode: 400 } });
    await expect(codeDeploy.send(new GetDeploymentCommand({ deploymentId: 'd-NONE' }))).rejects.toMatchObject({
      name: 'DeploymentDoesNotExistException',
    });
  });

  test('a hook reports, and GetDeployment tells', async () => {
    await deploy.setUp();
    const { settled, state } = deploy.update('2', { BeforeAllowTrafficHook: 'preflight' });
    await deploy.clock.advance(0);
    const payload: unknown = JSON.parse(deploy.invocations[0]?.payload ?? '{}');
    const { DeploymentId, LifecycleEventHookExecutionId } = payload as Record<string, string>;
    const reported = await codeDeploy.send(
      new PutLifecycleEventHookExecutionStatusCommand({
        deploymentId: DeploymentId,
        lifecycleEventHookExecutionId: LifecycleEventHookExecutionId,
        status: 'Succeeded',
      }),
    );
    expect(reported.lifecycleEventHookExecutionId).toBe(LifecycleEventHookExecutionId);
    await deploy.clock.advance(6 * 60_000);
    await settled;
    expect(state).toEqual({ done: true });
    const { deploymentInfo } = await codeDeploy.send(new GetDeploymentCommand({ deploymentId: DeploymentId }));
    expect(deploymentInfo).toMatchObject({
      status: 'Succeeded',
      computePlatform: 'Lambda',
      completeTime: expect.any(Date),
    });
  });
});
