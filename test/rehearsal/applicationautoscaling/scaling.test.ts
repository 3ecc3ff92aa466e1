import type { ResourceHandler } from '../../../rehearsal/core/resource';
import { createApplicationAutoScaling } from '../../../rehearsal/services/applicationautoscaling';
import { createCloudWatch } from '../../../rehearsal/services/cloudwatch';
import { createSqs } from '../../../rehearsal/services/sqs';
import { ManualClock } from '../../support/manual-clock';
import { container, eventually, IDLE, World } from '../ecs/support';

/** Alarms, policies and a service of real processes together: from none to many and back. */

const MINUTE = 60_000;
let world: World;
afterEach(() => world.close());

const QUEUE = 'lane';

test('alarms on messages for each running task drive a service from none to its most and back to none', async () => {
  const clock = new ManualClock();
  const parts: { scaling?: ReturnType<typeof createApplicationAutoScaling> } = {};
  const cloudWatch = createCloudWatch({
    clock,
    sns: { publish: () => undefined },
    scaling: {
      owns: (arn) => parts.scaling?.port.owns(arn) === true,
      invoke: (arn, value) => parts.scaling?.port.invoke(arn, value),
    },
  });
  const { metrics } = cloudWatch;
  world = await World.open({ clock, metrics });
  const scaling = createApplicationAutoScaling({ clock, services: world.ecs.scalable });
  parts.scaling = scaling;
  const sqs = createSqs({ clock, metrics, iam: world.iam, endpointUrl: () => world.apiServer.url });
  const create = (handlers: readonly ResourceHandler[], type: string, properties: Record<string, unknown>) => {
    const handler = handlers.find((one) => one.type === type);
    return handler?.create(world.request(type, type, properties)) ?? Promise.reject(new Error(`no ${type}`));
  };
  await create(sqs.handlers, 'AWS::SQS::Queue', { QueueName: QUEUE });
  const arn = `arn:aws:sqs:us-east-1:123456789012:${QUEUE}`;

  await world.launch(await world.define([container(world.image('worker', IDLE))]));
  const target = await create(scaling.handlers, 'AWS::ApplicationAutoScaling::ScalableTarget', {
    MaxCapacity: 5,
    MinCapacity: 0,
    ResourceId: 'service/cluster/service',
    ScalableDimension: 'ecs:service:DesiredCount',
    ServiceNamespace: 'ecs',
  });
  const policy = (name: string, steps: readonly (readonly [number, number | undefined, number])[]) =>
    create(scaling.handlers, 'AWS::ApplicationAutoScaling::ScalingPolicy', {
      PolicyName: name,
      PolicyType: 'StepScaling',
      ScalingTargetId: target.physicalId,
      StepScalingPolicyConfiguration: {
        AdjustmentType: 'ExactCapacity',
        Cooldown: 60,
        StepAdjustments: steps.map(([from, to, workers]) => ({
          MetricIntervalLowerBound: from,
          MetricIntervalUpperBound: to,
          ScalingAdjustment: workers,
        })),
      },
    });
  // Ten messages for each task. The alarms' value is the load and 1, where something is to be done.
  const bands = [
    [0, 1, 0],
    [1, 21, 2],
    [21, 31, 3],
    [31, undefined, 5],
  ] as const;
  const metric = (Namespace: string, MetricName: string, Stat: string, Dimensions: Record<string, string>) => ({
    MetricStat: {
      Metric: {
        Namespace,
        MetricName,
        Dimensions: Object.entries(Dimensions).map(([Name, Value]) => ({ Name, Value })),
      },
      Period: 60,
      Stat,
    },
    ReturnData: false,
  });
  const queue = { QueueName: QUEUE };
  const alarm = async (name: string, Expression: string, minutes: number, action: string) =>
    create(cloudWatch.handlers, 'AWS::CloudWatch::Alarm', {
      AlarmName: name,
      AlarmActions: [action],
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
      EvaluationPeriods: minutes,
      Threshold: 1,
      TreatMissingData: 'notBreaching',
      Metrics: [
        { Id: 'watched', Expression },
        { Id: 'load', Expression: 'MAX([FILL(waiting, 0) + FILL(taken, 0)])', ReturnData: false },
        { Id: 'running', Expression: 'FILL(samples, 0)', ReturnData: false },
        { Id: 'waiting', ...metric('AWS/SQS', 'ApproximateNumberOfMessagesVisible', 'Maximum', queue) },
        { Id: 'taken', ...metric('AWS/SQS', 'ApproximateNumberOfMessagesNotVisible', 'Maximum', queue) },
        {
          Id: 'samples',
          ...metric('AWS/ECS', 'CPUUtilization', 'SampleCount', { ClusterName: 'cluster', ServiceName: 'service' }),
        },
      ],
    });
  const out = await policy('out', bands);
  const into = await policy('in', bands);
  await alarm('too-few', 'IF(load > 10 * running, load + 1, 0)', 1, out.physicalId);
  await alarm('too-many', 'IF((running > 0) AND (load < 6 * running), load + 1, 0)', 3, into.physicalId);

  /** Advances by a number of minutes; in real time processes start and end meanwhile. */
  const minutes = async (count: number) => {
    for (let minute = 0; minute < count; minute += 1) {
      await world.pass(MINUTE);
      await eventually(
        () => world.ecs.tasks().every(({ status }) => status !== 'STOPPING'),
        'tasks that are told to stop',
      );
    }
  };
  const history = () => scaling.activities().map(({ from, to }) => [from, to]);

  // No producer sends a message: scaling stops the one task that the service began with.
  await minutes(6);
  expect(world.service).toMatchObject({ desired: 0, running: 0 });
  expect(history()).toEqual([[1, 0]]);

  // From none: as many as the load needs, within two minutes of the cloud.
  for (let message = 0; message < 25; message += 1) {
    sqs.port.send(arn, `task ${message}`);
  }
  await minutes(3);
  expect(world.service).toMatchObject({ desired: 3, running: 3 });
  // Messages in work count as those that wait.
  const held = await sqs.port.receiveInFlight(arn, 10, new AbortController().signal);
  expect(held).toHaveLength(10);
  await minutes(5);
  expect(world.service).toMatchObject({ desired: 3, running: 3 });

  for (let message = 0; message < 30; message += 1) {
    sqs.port.send(arn, `more ${message}`);
  }
  await minutes(3);
  expect(world.service).toMatchObject({ desired: 5, running: 5 });

  // Everything is done: none are needed, and they go within a few minutes.
  for (const { receiptHandle } of held) {
    sqs.port.delete(arn, receiptHandle);
  }
  for (;;) {
    const batch = await sqs.port.receiveInFlight(arn, 10, AbortSignal.timeout(50)).catch(() => []);
    if (batch.length === 0) {
      break;
    }
    for (const { receiptHandle } of batch) {
      sqs.port.delete(arn, receiptHandle);
    }
  }
  await minutes(6);
  expect(world.service).toMatchObject({ desired: 0, running: 0 });
  expect(history()).toEqual([
    [1, 0],
    [0, 3],
    [3, 5],
    [5, 0],
  ]);
  await sqs.stop();
  cloudWatch.stop();
});
