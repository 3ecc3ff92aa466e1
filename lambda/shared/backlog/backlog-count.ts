import { type CloudWatchClient, GetMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { GetQueueAttributesCommand, type SQSClient } from '@aws-sdk/client-sqs';
import {
  type BacklogItem,
  LANES,
  type LaneName,
  MINUTE_MS,
  PRIORITIES,
  type Priority,
  type QueueBacklog,
} from '../../../lib/contract';
import type { Clock } from '../clock';
import type { QueueUrls } from '../settings';

/** How far back a metric is looked for: SQS reports every minute, and CloudWatch is late by a few. */
const LOOK_BACK_MS = 5 * MINUTE_MS;

export interface BacklogCountDeps {
  readonly sqs: SQSClient;
  readonly cloudwatch: CloudWatchClient;
  readonly urls: QueueUrls;
  readonly clock: Clock;
}

interface Queue {
  readonly lane: LaneName;
  readonly priority: Priority;
  readonly url: string;
}

/**
 * Counts what is in the lanes' queues: SQS tells how many messages there are, and CloudWatch how old the oldest is.
 * Ages are asked for only where something waits: mostly nothing does, and each costs.
 *
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
 */
export class BacklogCount {
  readonly #deps: BacklogCountDeps;

  constructor(deps: BacklogCountDeps) {
    this.#deps = deps;
  }

  async take(before: BacklogItem | undefined): Promise<BacklogItem['queues']> {
    const { clock, urls } = this.#deps;
    const queues = LANES.flatMap((lane) =>
      PRIORITIES.map((priority) => ({ lane, priority, url: urls[lane][priority] })),
    );
    const counted = await Promise.all(queues.map(async (queue) => ({ ...queue, ...(await this.#sizeOf(queue)) })));
    const ages = await this.#agesOf(counted.filter(({ waiting }) => waiting > 0));
    const now = clock.now();
    const of = (lane: LaneName, priority: Priority): QueueBacklog => {
      const queue = counted.find((one) => one.lane === lane && one.priority === priority);
      const age = ages.get(idOf({ lane, priority }));
      const { waiting = 0, inFlight = 0 } = queue ?? {};
      return {
        waiting,
        inFlight,
        ...(age === undefined || waiting === 0 ? {} : { oldestSeconds: possibleAge(age, lane, priority, before, now) }),
      };
    };
    const byPriority = (lane: LaneName) => ({
      high: of(lane, 'high'),
      normal: of(lane, 'normal'),
      low: of(lane, 'low'),
    });
    return { stable: byPriority('stable'), candidate: byPriority('candidate') };
  }

  async #sizeOf({ url }: Queue): Promise<Pick<QueueBacklog, 'waiting' | 'inFlight'>> {
    const { Attributes = {} } = await this.#deps.sqs.send(
      new GetQueueAttributesCommand({
        QueueUrl: url,
        AttributeNames: [
          'ApproximateNumberOfMessages',
          'ApproximateNumberOfMessagesNotVisible',
          'ApproximateNumberOfMessagesDelayed',
        ],
      }),
    );
    return {
      waiting: Number(Attributes.ApproximateNumberOfMessages ?? 0),
      inFlight:
        Number(Attributes.ApproximateNumberOfMessagesNotVisible ?? 0) +
        Number(Attributes.ApproximateNumberOfMessagesDelayed ?? 0),
    };
  }

  /** Ages in seconds, by query id; none for a queue that CloudWatch knows nothing of. */
  async #agesOf(queues: readonly Queue[]): Promise<ReadonlyMap<string, number>> {
    if (queues.length === 0) {
      return new Map();
    }
    const now = this.#deps.clock.now();
    const { MetricDataResults = [] } = await this.#deps.cloudwatch.send(
      new GetMetricDataCommand({
        MetricDataQueries: queues.map((queue) => ({
          Id: idOf(queue),
          MetricStat: {
            Metric: {
              Namespace: 'AWS/SQS',
              MetricName: 'ApproximateAgeOfOldestMessage',
              Dimensions: [{ Name: 'QueueName', Value: queue.url.slice(queue.url.lastIndexOf('/') + 1) }],
            },
            Period: MINUTE_MS / 1000,
            Stat: 'Maximum',
          },
        })),
        StartTime: new Date(Math.floor((now - LOOK_BACK_MS) / MINUTE_MS) * MINUTE_MS),
        EndTime: new Date(Math.ceil(now / MINUTE_MS) * MINUTE_MS),
        ScanBy: 'TimestampDescending',
      }),
    );
    return new Map(
      MetricDataResults.flatMap(({ Id = '', Values: [newest] = [] }) => (newest === undefined ? [] : [[Id, newest]])),
    );
  }
}

function idOf({ lane, priority }: Pick<Queue, 'lane' | 'priority'>): string {
  return `${lane}_${priority}`;
}

/**
 * The metric is late: it may tell of messages that are gone. In a queue that was empty at the last count nothing is older
 * than that count.
 */
function possibleAge(
  age: number,
  lane: LaneName,
  priority: Priority,
  before: BacklogItem | undefined,
  now: number,
): number {
  const last = before?.queues[lane][priority];
  const wasEmpty = before !== undefined && last?.waiting === 0 && last.inFlight === 0;
  return wasEmpty ? Math.min(age, Math.max(0, (now - before.takenAt) / 1000)) : age;
}
