import { CloudWatchClient, GetMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { Dimension, METRIC_NAMESPACE } from '../../../lib/contract';
import type { OperatorAccess } from './operator-access';

const DAY_SECONDS = 86_400;

/** Sum of one of the agent's metrics over the whole run; undefined without data. */
export async function sumOf(
  metric: string,
  access: OperatorAccess,
  agent: string,
  from: number,
  to: number,
): Promise<number | undefined> {
  const client = new CloudWatchClient(access);
  try {
    const { MetricDataResults = [] } = await client.send(
      new GetMetricDataCommand({
        StartTime: new Date(from - DAY_SECONDS * 1000),
        EndTime: new Date(to + DAY_SECONDS * 1000),
        MetricDataQueries: [
          {
            Id: 'sum',
            MetricStat: {
              Metric: {
                Namespace: METRIC_NAMESPACE,
                MetricName: metric,
                Dimensions: [{ Name: Dimension.AGENT, Value: agent }],
              },
              Period: DAY_SECONDS,
              Stat: 'Sum',
            },
          },
        ],
      }),
    );
    const values = MetricDataResults[0]?.Values ?? [];
    return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0);
  } finally {
    client.destroy();
  }
}
