import { Duration } from 'aws-cdk-lib';
import { type IMetric, MathExpression, Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { pascalCase } from '../../common';
import { Dimension, IntakeMetric, METRIC_NAMESPACE, PRIORITIES, PreflightMetric } from '../../contract';
import { AgentLane, type ILaneQueues } from '../../lanes';

/** What the scaling of a lane looks at. Every period is a minute, the shortest of SQS and ECS. */
const PERIOD = Duration.minutes(1);

export interface LaneMetricsProps {
  readonly agentName: string;
  readonly lane: ILaneQueues;
  readonly clusterName: string;
  readonly serviceName: string;
}

/**
 * A gap is as before, and nothing before is none. Not `FILL(…, 0)` alone: SQS and ECS may be late with the newest minute, and
 * then it would always read 0
 * (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html, on FILL in alarms).
 */
function steady(id: string): string {
  return `FILL(FILL(${id}, REPEAT), 0)`;
}

/** Measures of one lane and of the service that works on it. */
export class LaneMetrics {
  constructor(private readonly props: LaneMetricsProps) {}

  /** Messages that wait in the lane's queues or are in work. Count. */
  load(label?: string): IMetric {
    const { lane } = this.props;
    const queues = PRIORITIES.flatMap((priority) => [
      [
        this.id(`${priority}Waiting`),
        lane[priority].metricApproximateNumberOfMessagesVisible({ statistic: Stats.MAXIMUM }),
      ],
      [
        this.id(`${priority}Taken`),
        lane[priority].metricApproximateNumberOfMessagesNotVisible({ statistic: Stats.MAXIMUM }),
      ],
    ]) as [string, Metric][];
    return this.math(queues.map(([id]) => steady(id)).join(' + '), Object.fromEntries(queues), label);
  }

  /**
   * Messages that came in the minute. Ours, and so never late; SQS starts to measure a queue that nobody touched for six
   * hours only after up to a quarter of an hour
   * (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-monitoring-using-cloudwatch.html).
   */
  arrivals(label?: string): IMetric {
    const own = (metricName: string) =>
      new Metric({
        namespace: METRIC_NAMESPACE,
        metricName,
        dimensionsMap: { [Dimension.AGENT]: this.props.agentName, [Dimension.LANE]: this.props.lane.laneName },
        statistic: Stats.SUM,
        period: PERIOD,
      });
    const sources = {
      [this.id('accepted')]: own(IntakeMetric.ACCEPTED),
      // A preflight probes no other lane.
      ...(this.props.lane.laneName === AgentLane.CANDIDATE ? { [this.id('probes')]: own(PreflightMetric.PROBES) } : {}),
    };
    const sum = Object.keys(sources).map((id) => `FILL(${id}, 0)`);
    return this.math(sum.join(' + '), sources, label);
  }

  /**
   * Workers that run: each reports its CPU once a minute
   * (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cloudwatch-metrics.html). Old ones that still finish their
   * tasks after a deployment are among them. Count.
   */
  running(label?: string): IMetric {
    const samples = this.id('samples');
    return this.math(steady(samples), { [samples]: this.service('CPUUtilization', Stats.SAMPLE_COUNT) }, label);
  }

  /** Load for each worker that runs. Count; no value without workers. */
  backlogPerWorker(label?: string): IMetric {
    const [load, running] = [this.id('load'), this.id('running')];
    return this.math(`${load} / ${running}`, { [load]: this.load(), [running]: this.running() }, label);
  }

  /** Of what the service's tasks have. Percent. */
  service(metricName: 'CPUUtilization' | 'MemoryUtilization', statistic: string, label?: string): Metric {
    const { clusterName, serviceName } = this.props;
    return new Metric({
      namespace: 'AWS/ECS',
      metricName,
      dimensionsMap: { ClusterName: clusterName, ServiceName: serviceName },
      statistic,
      period: PERIOD,
      label,
    });
  }

  /** Two lanes may be in one graph, which has one name for a metric. */
  private id(name: string): string {
    return `${this.props.lane.laneName}${pascalCase(name)}`;
  }

  /** An expression over others. */
  math(expression: string, usingMetrics: Record<string, IMetric>, label?: string): MathExpression {
    return new MathExpression({ expression, usingMetrics, period: PERIOD, label });
  }
}
