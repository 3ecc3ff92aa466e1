import { Duration } from 'aws-cdk-lib';
import { type IMetric, MathExpression, Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { pascalCase } from '../../common';
import { Dimension, IntakeMetric, METRIC_NAMESPACE, PRIORITIES, PreflightMetric } from '../../contract';
import { AgentLane, type ILaneQueues } from '../../lanes';

/** Period of the scaling metrics: the shortest of SQS and ECS. */
const PERIOD = Duration.minutes(1);

/** The lane and the ECS service that its metrics are about. */
export interface LaneMetricsProps {
  /** Name of the agent: value of the metric dimension `Agent`. */
  readonly agentName: string;
  /** Queues of the lane. */
  readonly lane: ILaneQueues;
  /** Cluster of the service. */
  readonly clusterName: string;
  /** Service of the lane's workers. */
  readonly serviceName: string;
}

/**
 * A missing value repeats the previous one, and is 0 without a previous one. `FILL(…, 0)` alone would always read 0 for the
 * newest minute when SQS and ECS are late
 * (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html, on FILL in alarms).
 */
function steady(id: string): string {
  return `FILL(FILL(${id}, REPEAT), 0)`;
}

/** Metrics of one lane and of its service, for scaling and dashboard. */
export class LaneMetrics {
  constructor(private readonly props: LaneMetricsProps) {}

  /** Messages in the lane's queues, visible and in flight. Count. */
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
   * Messages sent in the minute, measured by the library without delay. SQS metrics of a queue that was inactive for six hours
   * may be up to 15 minutes late
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
      // Preflights probe the candidate lane only.
      ...(this.props.lane.laneName === AgentLane.CANDIDATE ? { [this.id('probes')]: own(PreflightMetric.PROBES) } : {}),
    };
    const sum = Object.keys(sources).map((id) => `FILL(${id}, 0)`);
    return this.math(sum.join(' + '), sources, label);
  }

  /**
   * Running workers: each reports its CPU once a minute
   * (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cloudwatch-metrics.html). Old workers that
   * still finish tasks after a deployment are included. Count.
   */
  running(label?: string): IMetric {
    const samples = this.id('samples');
    return this.math(steady(samples), { [samples]: this.service('CPUUtilization', Stats.SAMPLE_COUNT) }, label);
  }

  /** Load per running worker. Count; no value without workers. */
  backlogPerWorker(label?: string): IMetric {
    const [load, running] = [this.id('load'), this.id('running')];
    return this.math(`${load} / ${running}`, { [load]: this.load(), [running]: this.running() }, label);
  }

  /** Utilization of the CPU or the memory of the service's ECS tasks. Percent. */
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

  /** Ids of metrics must be unique in a graph that shows both lanes. */
  private id(name: string): string {
    return `${this.props.lane.laneName}${pascalCase(name)}`;
  }

  /** A math expression with the period of the scaling metrics. */
  math(expression: string, usingMetrics: Record<string, IMetric>, label?: string): MathExpression {
    return new MathExpression({ expression, usingMetrics, period: PERIOD, label });
  }
}
