import { OPERATOR } from '../../../rehearsal/core/principal';
import type { StackContext } from '../../../rehearsal/core/resource';
import type { AlarmAction, AlarmChange } from '../../../rehearsal/services/cloudwatch';
import { CloudWatchState } from '../../../rehearsal/services/cloudwatch/model';
import { CloudWatchOperations } from '../../../rehearsal/services/cloudwatch/operations';
import { alarmHandler, dashboardHandler } from '../../../rehearsal/services/cloudwatch/resources';
import { ManualClock } from '../../support/manual-clock';

const MINUTE = 60_000;
const RELEASE = { Agent: 'support', Release: 'r-000000000001' };
const STABLE = { Agent: 'support', Lane: 'stable' };

function world(scale: () => void = () => undefined) {
  const clock = new ManualClock();
  const scaled: { policy: string; alarm: string; value: number; threshold: number }[] = [];
  const actions: AlarmAction[] = [];
  const published: { topic: string; subject: string; message: string }[] = [];
  const changes: AlarmChange[] = [];
  const service = new CloudWatchState({
    clock,
    sns: { publish: (topic, subject, message) => published.push({ topic, subject, message }) },
    scaling: {
      owns: (arn) => arn.includes(':scalingPolicy:'),
      invoke: (policy, value) => {
        scale();
        scaled.push({ policy, ...value });
      },
    },
    onAlarm: (change) => changes.push(change),
    onAction: (action) => actions.push(action),
  });
  const operations = new CloudWatchOperations(service);
  const stack: StackContext = {
    stackName: 'Test',
    stackId: 'arn:aws:cloudformation:us-east-1:123456789012:stack/Test/1',
    region: 'us-east-1',
    account: '123456789012',
    partition: 'aws',
    assemblyDirectory: '/',
    clock,
  };
  const handler = alarmHandler(service.alarmList);
  const request = (properties: Record<string, unknown>) => ({
    stack,
    logicalId: 'Gate',
    path: 'Test/Gate',
    properties,
    report: () => undefined,
  });
  return {
    clock,
    service,
    scaled,
    actions,
    published,
    changes,
    request,
    handler,
    create: (properties: Record<string, unknown>) => handler.create(request({ AlarmName: 'gate', ...properties })),
    call: (operation: string, input: Record<string, unknown>) =>
      operations.handle({ operation, input, principal: OPERATOR, signal: new AbortController().signal, headers: {} }),
    /** Advances by a number of minutes; the values of each are put at its middle. */
    minutes: async (...values: readonly (number | undefined)[]) => {
      for (const value of values) {
        await clock.advance(MINUTE / 2);
        if (value !== undefined) {
          service.put('AgentLanes', 'TaskCost', RELEASE, [value]);
        }
        await clock.advance(MINUTE / 2);
      }
    },
  };
}

const COST = {
  Namespace: 'AgentLanes',
  MetricName: 'TaskCost',
  Dimensions: [
    { Name: 'Agent', Value: 'support' },
    { Name: 'Release', Value: 'r-000000000001' },
  ],
  Period: 60,
  Statistic: 'Average',
  Threshold: 1,
  ComparisonOperator: 'GreaterThanThreshold',
  EvaluationPeriods: 3,
  DatapointsToAlarm: 2,
};

describe('an alarm that scales', () => {
  const POLICY = 'arn:aws:autoscaling:us-east-1:123456789012:scalingPolicy:1:resource/ecs/service/a/b:policyName/out';
  const ONE_MINUTE = { ...COST, EvaluationPeriods: 1, DatapointsToAlarm: 1 };

  test('invokes its policy when it goes off, and every minute while it stays so, with the newest value', async () => {
    const { create, minutes, scaled, published, clock } = world();
    await create({ ...ONE_MINUTE, AlarmActions: [POLICY, 'arn:aws:sns:us-east-1:123456789012:topic'] });
    await minutes(0.5, 2);
    expect(scaled).toEqual([{ policy: POLICY, alarm: 'gate', value: 2, threshold: 1 }]);
    await clock.advance(MINUTE / 2);
    expect(scaled).toHaveLength(1);
    await clock.advance(MINUTE / 2);
    await minutes(3, 4);
    expect(scaled.map(({ value }) => value)).toEqual([2, 2, 3, 4]);
    await minutes(0.5, 0.5);
    expect(scaled).toHaveLength(4);
    // A topic is told of the change alone.
    expect(published).toHaveLength(1);
    await minutes(5);
    expect(scaled.at(-1)?.value).toBe(5);
  });

  test('invokes nothing while its actions are disabled', async () => {
    const { create, minutes, scaled } = world();
    await create({ ...ONE_MINUTE, ActionsEnabled: false, AlarmActions: [POLICY] });
    await minutes(2, 2, 2);
    expect(scaled).toEqual([]);
  });

  test('reports a policy that is missing, and continues', async () => {
    const { create, minutes, actions, service } = world(() => {
      throw new Error('there is no scaling policy');
    });
    await create({ ...ONE_MINUTE, AlarmActions: [POLICY] });
    await minutes(2, 2);
    expect(service.alarm('gate')?.state).toBe('ALARM');
    expect(actions).toMatchObject([{ topicArn: POLICY, failure: 'there is no scaling policy' }, {}]);
  });
});

describe('an alarm', () => {
  test('starts without data, goes to ALARM when M of N breach, and back', async () => {
    const { create, minutes, service, changes } = world();
    await create(COST);
    expect(service.alarm('gate')).toMatchObject({ state: 'INSUFFICIENT_DATA', hadData: false, value: undefined });
    await minutes(0.5);
    expect(service.alarm('gate')).toMatchObject({ state: 'OK', hadData: true, value: 0.5, threshold: 1 });
    await minutes(2, 2);
    expect(service.alarm('gate')?.state).toBe('ALARM');
    await minutes(0.5, 0.5);
    expect(service.alarm('gate')?.state).toBe('OK');
    expect(changes.map((change) => change.to)).toEqual(['OK', 'ALARM', 'OK']);
    expect(changes[1]?.reason).toContain('2 of 3 data points [0.5, 2, 2] GreaterThanThreshold 1');
  });

  test('judges only periods that are over', async () => {
    const { create, clock, service } = world();
    await create({ ...COST, EvaluationPeriods: 1, DatapointsToAlarm: 1 });
    await clock.advance(5_000);
    service.put('AgentLanes', 'TaskCost', RELEASE, [5]);
    await clock.advance(50_000);
    expect(service.alarm('gate')?.state).toBe('INSUFFICIENT_DATA');
    await clock.advance(5_000);
    expect(service.alarm('gate')?.state).toBe('ALARM');
  });

  test('judges again when data arrives late', async () => {
    const { create, clock, service } = world();
    await create({ ...COST, EvaluationPeriods: 1, DatapointsToAlarm: 1, TreatMissingData: 'notBreaching' });
    const then = clock.now() + 30_000;
    await clock.advance(MINUTE + 20_000);
    expect(service.alarm('gate')?.state).toBe('OK');
    service.ingestLogLine(
      JSON.stringify({
        _aws: {
          Timestamp: then,
          CloudWatchMetrics: [
            { Namespace: 'AgentLanes', Dimensions: [['Agent', 'Release']], Metrics: [{ Name: 'TaskCost' }] },
          ],
        },
        ...RELEASE,
        TaskCost: 5,
      }),
    );
    await clock.advance(10_000);
    expect(service.alarm('gate')?.state).toBe('ALARM');
  });

  test('treats missing data as it is told', async () => {
    const states: Record<string, string | undefined> = {};
    for (const mode of ['missing', 'ignore', 'breaching', 'notBreaching']) {
      const { create, minutes, service } = world();
      await create({ ...COST, TreatMissingData: mode });
      await minutes(0.5);
      await minutes(undefined, undefined, undefined, undefined, undefined, undefined);
      states[mode] = service.alarm('gate')?.state;
    }
    expect(states).toEqual({ missing: 'INSUFFICIENT_DATA', ignore: 'OK', breaching: 'ALARM', notBreaching: 'OK' });
  });

  test('notifies the topics of the state it enters, unless actions are disabled', async () => {
    const { create, minutes, published, handler, request } = world();
    const actions = { AlarmActions: ['arn:aws:sns:us-east-1:1:warn'], OKActions: ['arn:aws:sns:us-east-1:1:fine'] };
    await create({ ...COST, ...actions });
    await minutes(5, 5);
    expect(published).toEqual([
      {
        topic: 'arn:aws:sns:us-east-1:1:warn',
        subject: 'ALARM: "gate"',
        message: expect.stringContaining('"NewStateValue":"ALARM"'),
      },
    ]);
    await handler.update({
      ...request({ ...COST, ...actions, AlarmName: 'gate', ActionsEnabled: 'false' }),
      physicalId: 'gate',
      previous: {},
      rollback: false,
    });
    await minutes(0.5, 0.5, 0.5);
    expect(published).toHaveLength(1);
  });

  test('keeps its state over an update until it is judged next, and forgets the value of another metric', async () => {
    const { create, minutes, service, handler, request, clock } = world();
    await create(COST);
    await minutes(5, 5);
    await handler.update({
      ...request({ ...COST, AlarmName: 'gate', MetricName: 'Other', TreatMissingData: 'notBreaching' }),
      physicalId: 'gate',
      previous: {},
      rollback: false,
    });
    expect(service.alarm('gate')).toMatchObject({ state: 'ALARM', value: undefined, hadData: false });
    await clock.advance(10_000);
    expect(service.alarm('gate')?.state).toBe('OK');
  });

  test('is judged by metric math, with a minimum of samples', async () => {
    const { create, clock, service } = world();
    const stat = (Id: string, dimensions: Record<string, string>, Stat: string) => ({
      Id,
      ReturnData: false,
      MetricStat: {
        Metric: {
          Namespace: 'AgentLanes',
          MetricName: 'TaskCost',
          Dimensions: Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value })),
        },
        Period: 60,
        Stat,
      },
    });
    await create({
      Metrics: [
        { Id: 'ratio', Expression: 'IF(n >= 3 AND s > 0, c / s, 0)', ReturnData: true },
        stat('c', RELEASE, 'Average'),
        stat('n', RELEASE, 'SampleCount'),
        stat('s', STABLE, 'Average'),
      ],
      Threshold: '1.2',
      ComparisonOperator: 'GreaterThanThreshold',
      EvaluationPeriods: '1',
      TreatMissingData: 'notBreaching',
    });
    const minute = async (candidate: number[], stable: number[]) => {
      await clock.advance(MINUTE / 2);
      service.put('AgentLanes', 'TaskCost', RELEASE, candidate);
      service.put('AgentLanes', 'TaskCost', STABLE, stable);
      await clock.advance(MINUTE / 2);
    };
    await minute([9, 9], [1]);
    expect(service.alarm('gate')).toMatchObject({ state: 'OK', value: 0 });
    await minute([1.3, 1.3, 1.3], [1]);
    expect(service.alarm('gate')).toMatchObject({ state: 'ALARM', value: expect.closeTo(1.3, 6), hadData: true });
    await minute([1.1, 1.1, 1.1], [1]);
    expect(service.alarm('gate')?.state).toBe('OK');
  });

  test('leaves a percentile with few samples alone when it is told to', async () => {
    const { create, minutes, service } = world();
    const { Statistic: _omitted, ...rest } = COST;
    await create({
      ...rest,
      ExtendedStatistic: 'p90',
      EvaluateLowSampleCountPercentile: 'ignore',
      EvaluationPeriods: 1,
      DatapointsToAlarm: 1,
    });
    await minutes(5);
    expect(service.alarm('gate')?.state).toBe('INSUFFICIENT_DATA');
  });

  test('is gone when it is deleted', async () => {
    const { create, service, handler, request } = world();
    const { physicalId, attributes } = await create(COST);
    expect(attributes.Arn).toBe('arn:aws:cloudwatch:us-east-1:123456789012:alarm:gate');
    expect(service.alarm(String(attributes.Arn))?.name).toBe('gate');
    await handler.delete({ ...request({}), physicalId });
    expect(service.alarms()).toEqual([]);
  });

  test.each([
    ['a statistic it does not know', { Statistic: 'tm99' }, 'statistic tm99'],
    ['a period that CloudWatch does not take', { Period: 45 }, 'Period'],
    [
      'an action that is no topic',
      { AlarmActions: ['arn:aws:lambda:us-east-1:1:function:f'] },
      'action arn:aws:lambda',
    ],
    ['more data points than periods', { DatapointsToAlarm: 4 }, 'DatapointsToAlarm 4'],
    ['more than a day', { Period: 3600, EvaluationPeriods: 25 }, 'one day'],
    ['neither metric nor metrics', { MetricName: undefined }, 'Metrics'],
    ['a comparison with a band', { ComparisonOperator: 'LessThanLowerThreshold' }, 'ComparisonOperator'],
  ])('refuses %s', async (_name, over, message) => {
    const { create } = world();
    await expect(create({ ...COST, ...over })).rejects.toThrow(message);
  });

  test.each([
    ['two entries that return data', [{ Id: 'a', Expression: 'b' }, metric('b', 60, true)], 'exactly one'],
    ['different periods', [{ Id: 'a', Expression: 'b+c' }, metric('b', 60), metric('c', 120)], 'same period'],
    ['an unknown id', [{ Id: 'a', Expression: 'b+x' }, metric('b', 60)], '"x"'],
    [
      'expressions in a circle',
      [
        { Id: 'a', Expression: 'e' },
        { Id: 'e', Expression: 'a', ReturnData: false },
      ],
      'circle',
    ],
    ['an unknown function', [{ Id: 'a', Expression: 'RATE(b)' }, metric('b', 60)], 'RATE'],
  ])('refuses metric math with %s', async (_name, metrics, message) => {
    const { create } = world();
    await expect(
      create({ Metrics: metrics, Threshold: 1, ComparisonOperator: 'GreaterThanThreshold', EvaluationPeriods: 1 }),
    ).rejects.toThrow(message);
  });
});

function metric(Id: string, Period: number, ReturnData = false) {
  return { Id, ReturnData, MetricStat: { Metric: { Namespace: 'N', MetricName: 'M' }, Period, Stat: 'Sum' } };
}

describe('log lines', () => {
  test('that are malformed, or of another time, are counted and kept as examples', () => {
    const { service, clock } = world();
    service.ingestLogLine('plain text');
    service.ingestLogLine('{"_aws": {"CloudWatchMetrics": 3}}');
    const metadata = (Timestamp: number) => ({ Timestamp, CloudWatchMetrics: [] });
    service.ingestLogLine(JSON.stringify({ _aws: metadata(clock.now() + 3 * 3_600_000) }));
    service.ingestLogLine(JSON.stringify({ _aws: metadata(clock.now()) }));
    expect(service.malformedLines().count).toBe(2);
    expect(service.malformedLines().examples[1]).toContain('two hours after');
  });
});

describe('GetMetricData', () => {
  test('gives statistics and expressions, newest first unless told otherwise', async () => {
    const { call, minutes, clock } = world();
    const start = clock.now() / 1000;
    await minutes(1, undefined, 3);
    const request = {
      StartTime: start,
      EndTime: clock.now() / 1000,
      MetricDataQueries: [
        {
          Id: 'm',
          ReturnData: true,
          MetricStat: {
            Metric: {
              Namespace: 'AgentLanes',
              MetricName: 'TaskCost',
              Dimensions: Object.entries(RELEASE).map(([Name, Value]) => ({ Name, Value })),
            },
            Period: 60,
            Stat: 'Sum',
          },
        },
        { Id: 'e', Expression: 'FILL(m, 0) * 2', Label: 'doubled' },
      ],
    };
    await expect(call('GetMetricData', { ...request, ScanBy: 'TimestampAscending' })).resolves.toMatchObject({
      MetricDataResults: [
        { Id: 'm', Timestamps: [start, start + 120], Values: [1, 3] },
        { Id: 'e', Label: 'doubled', Values: [2, 0, 6] },
      ],
    });
    await expect(call('GetMetricData', request)).resolves.toMatchObject({
      MetricDataResults: [{ Values: [3, 1] }, { Values: [6, 0, 2] }],
    });
  });

  test('refuses different periods and unknown functions by name', async () => {
    const { call } = world();
    const query = (Period: number, Id: string) => ({ ...metric(Id, Period, true) });
    await expect(
      call('GetMetricData', { StartTime: 0, EndTime: 600, MetricDataQueries: [query(60, 'a'), query(120, 'b')] }),
    ).rejects.toThrow('different periods');
    await expect(
      call('GetMetricData', {
        StartTime: 0,
        EndTime: 600,
        MetricDataQueries: [query(60, 'a'), { Id: 'e', Expression: 'STDDEV(a)' }],
      }),
    ).rejects.toMatchObject({ code: 'InvalidParameterValueException', message: expect.stringContaining('STDDEV') });
  });
});

test('DescribeAlarms tells state and rule', async () => {
  const { call, create } = world();
  await create(COST);
  await expect(call('DescribeAlarms', { AlarmNames: ['gate'] })).resolves.toMatchObject({
    MetricAlarms: [{ AlarmName: 'gate', StateValue: 'INSUFFICIENT_DATA', EvaluationPeriods: 3, DatapointsToAlarm: 2 }],
  });
  await expect(call('DescribeAlarms', { StateValue: 'ALARM' })).resolves.toMatchObject({ MetricAlarms: [] });
});

test('PutMetricData puts values with their counts', async () => {
  const { call, service, create, clock } = world();
  await create({ ...COST, Statistic: 'Sum', EvaluationPeriods: 1, DatapointsToAlarm: 1 });
  await call('PutMetricData', {
    Namespace: 'AgentLanes',
    MetricData: [{ MetricName: 'TaskCost', Dimensions: COST.Dimensions, Values: [1, 2], Counts: [3, 1] }],
  });
  await clock.advance(MINUTE);
  expect(service.alarm('gate')?.value).toBe(5);
});

describe('a dashboard', () => {
  const handler = dashboardHandler();
  const { request } = world();
  test('is taken when its body is JSON with widgets', async () => {
    const outcome = await handler.create(request({ DashboardBody: '{"widgets":[]}' }));
    expect(outcome.physicalId).toMatch(/^Test-Gate-/);
  });
  test.each(['{', '[]', '{"widgets":{}}', undefined])('refuses the body %p', async (DashboardBody) => {
    await expect(handler.create(request({ DashboardBody }))).rejects.toThrow('DashboardBody');
  });
});
