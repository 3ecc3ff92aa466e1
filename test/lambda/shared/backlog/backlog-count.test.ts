import { cloudWatchClient } from '../../../../lambda/shared/aws/clients/cloudwatch';
import { sqsClient } from '../../../../lambda/shared/aws/clients/sqs';
import { BacklogCount } from '../../../../lambda/shared/backlog/backlog-count';
import type { BacklogItem, QueueBacklog } from '../../../../lib/contract';
import { FakeClock, START } from '../support/fakes';
import { LocalCloud, METRIC_DATA, QUEUE_SIZES } from '../support/local-cloud';

let cloud: LocalCloud;
beforeAll(async () => {
  cloud = await LocalCloud.start();
});
beforeEach(() => {
  cloud.services.requests.length = 0;
});
afterAll(() => cloud.close());

interface Given {
  /** Attributes of queues by name; all others are empty. */
  readonly sizes?: Readonly<Record<string, Record<string, number>>>;
  /** Values of the metric by name of the queue, newest first. */
  readonly ages?: Readonly<Record<string, readonly number[]>>;
}

interface MetricQuery {
  readonly Id: string;
  readonly MetricStat: { readonly Metric: { readonly Dimensions: readonly { readonly Value: string }[] } };
}

function counter({ sizes = {}, ages = {} }: Given): BacklogCount {
  cloud.answers = {
    [QUEUE_SIZES]: ({ body }) => {
      const name = (body as { QueueUrl: string }).QueueUrl.split('/').at(-1) ?? '';
      const attributes = Object.entries(sizes[name] ?? {}).map(([key, value]) => [
        `ApproximateNumberOfMessages${key}`,
        String(value),
      ]);
      return { body: { Attributes: Object.fromEntries(attributes) } };
    },
    [METRIC_DATA]: ({ body }) => ({
      body: {
        MetricDataResults: (body as { MetricDataQueries: MetricQuery[] }).MetricDataQueries.map(
          ({ Id, MetricStat }) => ({ Id, Values: ages[MetricStat.Metric.Dimensions[0]?.Value ?? ''] ?? [] }),
        ),
      },
    }),
  };
  const lane = (name: string) => ({
    high: `${cloud.services.endpoint}/123456789012/${name}-high`,
    normal: `${cloud.services.endpoint}/123456789012/${name}-normal`,
    low: `${cloud.services.endpoint}/123456789012/${name}-low`,
  });
  return new BacklogCount({
    sqs: sqsClient({ maxAttempts: 1 }),
    cloudwatch: cloudWatchClient({ maxAttempts: 1 }),
    urls: { stable: lane('stable'), candidate: lane('candidate') },
    clock: new FakeClock(START + 90_000),
  });
}

function before(high: QueueBacklog): BacklogItem {
  const none = { waiting: 0, inFlight: 0 };
  const lane = { high, normal: none, low: none };
  return { takenAt: START, sequence: 0, queues: { stable: lane, candidate: lane } };
}

test('sizes come from SQS, ages from CloudWatch: its newest value', async () => {
  const queues = await counter({
    sizes: { 'stable-high': { '': 5, NotVisible: 2, Delayed: 1 }, 'candidate-low': { '': 1 } },
    ages: { 'stable-high': [40, 100], 'candidate-low': [7] },
  }).take(undefined);
  expect(queues.stable).toEqual({
    high: { waiting: 5, inFlight: 3, oldestSeconds: 40 },
    normal: { waiting: 0, inFlight: 0 },
    low: { waiting: 0, inFlight: 0 },
  });
  expect(queues.candidate.low).toEqual({ waiting: 1, inFlight: 0, oldestSeconds: 7 });
});

test('one call asks for the ages of all queues that hold something, over the last minutes', async () => {
  await counter({ sizes: { 'stable-high': { '': 1 }, 'stable-low': { '': 1 } } }).take(undefined);
  expect(cloud.requestsOf(QUEUE_SIZES)).toHaveLength(6);
  const [request, ...others] = cloud.requestsOf(METRIC_DATA);
  expect(others).toEqual([]);
  expect(request?.body).toMatchObject({
    MetricDataQueries: [
      {
        Id: 'stable_high',
        MetricStat: {
          Metric: {
            Namespace: 'AWS/SQS',
            MetricName: 'ApproximateAgeOfOldestMessage',
            Dimensions: [{ Name: 'QueueName', Value: 'stable-high' }],
          },
          Stat: 'Maximum',
        },
      },
      { Id: 'stable_low' },
    ],
    StartTime: START / 1000 - 240,
    EndTime: START / 1000 + 120,
  });
});

test('ages of empty queues are not asked for, and none is older than nothing', async () => {
  const queues = await counter({ ages: { 'stable-high': [999] } }).take(undefined);
  expect(queues.stable.high).toEqual({ waiting: 0, inFlight: 0 });
  expect(cloud.requestsOf(METRIC_DATA)).toEqual([]);
});

test('an age that CloudWatch does not know is left out', async () => {
  const queues = await counter({ sizes: { 'stable-high': { '': 1 } } }).take(undefined);
  expect(queues.stable.high).toEqual({ waiting: 1, inFlight: 0 });
});

test.each<[string, QueueBacklog, number]>([
  ['was empty at the last count is no older than that', { waiting: 0, inFlight: 0 }, 90],
  ['had messages may be as old as the metric says', { waiting: 1, inFlight: 0 }, 1_000],
  ['had messages in the hands of workers may be as old, too', { waiting: 0, inFlight: 1 }, 1_000],
])('what waits in a queue that %s', async (_, high, oldestSeconds) => {
  const count = counter({ sizes: { 'stable-high': { '': 1 } }, ages: { 'stable-high': [1_000] } });
  expect((await count.take(before(high))).stable.high.oldestSeconds).toBe(oldestSeconds);
});

test('fails when a queue cannot be counted: half a snapshot would let in what has to wait', async () => {
  const count = counter({ sizes: { 'stable-high': { '': 1 } } });
  cloud.answers = { ...cloud.answers, [METRIC_DATA]: () => ({ status: 503, body: {} }) };
  await expect(count.take(undefined)).rejects.toMatchObject({ $metadata: { httpStatusCode: 503 } });
});
