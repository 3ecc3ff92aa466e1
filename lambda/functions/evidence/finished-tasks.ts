import { type CloudWatchClient, GetMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { Dimension, METRIC_NAMESPACE, TaskMetric } from '../../../lib/contract';

const PERIOD_SECONDS = 60;

/**
 * Number of tasks that a release finished between two times (milliseconds since 1970). CloudWatch keeps metrics by the
 * minute: both times are widened to whole ones.
 */
export async function countFinishedTasks(
  client: CloudWatchClient,
  agent: string,
  release: string,
  from: number,
  to: number,
): Promise<number> {
  const minute = PERIOD_SECONDS * 1000;
  let sum = 0;
  let nextToken: string | undefined;
  do {
    const { MetricDataResults = [], NextToken } = await client.send(
      new GetMetricDataCommand({
        MetricDataQueries: [
          {
            Id: 'finished',
            MetricStat: {
              Metric: {
                Namespace: METRIC_NAMESPACE,
                MetricName: TaskMetric.FINISHED,
                Dimensions: [
                  { Name: Dimension.AGENT, Value: agent },
                  { Name: Dimension.RELEASE, Value: release },
                ],
              },
              Period: PERIOD_SECONDS,
              Stat: 'Sum',
            },
          },
        ],
        StartTime: new Date(Math.floor(from / minute) * minute),
        EndTime: new Date(Math.ceil(to / minute) * minute),
        NextToken: nextToken,
      }),
    );
    for (const { Values = [] } of MetricDataResults) {
      sum = Values.reduce((total, value) => total + value, sum);
    }
    nextToken = NextToken;
  } while (nextToken !== undefined);
  return Math.round(sum);
}
