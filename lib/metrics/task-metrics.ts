import { type DimensionsMap, Metric, type MetricOptions, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { Dimension, METRIC_NAMESPACE, TaskMetric, type TaskMetricName } from '../contract';

/**
 * The task metrics of one dimension set: of an agent as a whole, of one of its lanes, or of one release.
 *
 * Emitted once per finished task by the worker. Probe tasks emit none.
 */
export class TaskMetrics {
  /** Metrics over all lanes and releases. */
  static ofAgent(agentName: string): TaskMetrics {
    return new TaskMetrics({ [Dimension.AGENT]: agentName });
  }

  /**
   * Metrics of one lane, whichever release it ran.
   *
   * @param laneName of `LaneName`, or the `laneName` of a lane
   */
  static ofLane(agentName: string, laneName: string): TaskMetrics {
    return new TaskMetrics({ [Dimension.AGENT]: agentName, [Dimension.LANE]: laneName });
  }

  /** Metrics of one release, on whichever lane it ran. */
  static ofRelease(agentName: string, releaseId: string): TaskMetrics {
    return new TaskMetrics({ [Dimension.AGENT]: agentName, [Dimension.RELEASE]: releaseId });
  }

  private constructor(private readonly dimensions: DimensionsMap) {}

  /** Tasks that reached a final status. Count; sum by default. */
  finished(options?: MetricOptions): Metric {
    return this.metric(TaskMetric.FINISHED, Stats.SUM, options);
  }

  /** Tasks that succeeded. Count; sum by default. */
  succeeded(options?: MetricOptions): Metric {
    return this.metric(TaskMetric.SUCCEEDED, Stats.SUM, options);
  }

  /** Tasks that failed or timed out. Count; sum by default. */
  failed(options?: MetricOptions): Metric {
    return this.metric(TaskMetric.FAILED, Stats.SUM, options);
  }

  /** From claim to final status. Milliseconds; p99 by default. */
  duration(options?: MetricOptions): Metric {
    return this.metric(TaskMetric.DURATION, Stats.p(99), options);
  }

  /** From acceptance to claim. Milliseconds; p99 by default. */
  queueWait(options?: MetricOptions): Metric {
    return this.metric(TaskMetric.QUEUE_WAIT, Stats.p(99), options);
  }

  /** Cost of a task. US dollars; average by default. */
  cost(options?: MetricOptions): Metric {
    return this.metric(TaskMetric.COST, Stats.AVERAGE, options);
  }

  /** Tool calls of a task. Count; average by default. */
  toolCalls(options?: MetricOptions): Metric {
    return this.metric(TaskMetric.TOOL_CALLS, Stats.AVERAGE, options);
  }

  /** Tokens sent to the model. Count; sum by default. */
  inputTokens(options?: MetricOptions): Metric {
    return this.metric(TaskMetric.INPUT_TOKENS, Stats.SUM, options);
  }

  /** Tokens written by the model. Count; sum by default. */
  outputTokens(options?: MetricOptions): Metric {
    return this.metric(TaskMetric.OUTPUT_TOKENS, Stats.SUM, options);
  }

  /** Score that the agent gave its own result, 0 to 1; only of tasks that were scored. Average by default. */
  qualityScore(options?: MetricOptions): Metric {
    return this.metric(TaskMetric.QUALITY, Stats.AVERAGE, options);
  }

  private metric(metricName: TaskMetricName, statistic: string, options: MetricOptions = {}): Metric {
    return new Metric({
      namespace: METRIC_NAMESPACE,
      metricName,
      dimensionsMap: this.dimensions,
      statistic,
      ...options,
    });
  }
}
