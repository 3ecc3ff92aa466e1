import { type DimensionsMap, Metric, type MetricOptions, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { Dimension, flagDimension, METRIC_NAMESPACE, ModelMetric, TaskMetric, WorkerMetric } from '../contract';

/**
 * The metrics of one dimension set: of an agent as a whole, of one of its lanes, of one release, or of one value of a flag.
 *
 * Emitted by the worker, most of them once per finished task. Probe tasks emit none.
 */
export class TaskMetrics {
  /** Metrics over all lanes and releases. */
  static ofAgent(agentName: string): TaskMetrics {
    return new TaskMetrics({ [Dimension.AGENT]: agentName });
  }

  /**
   * Metrics of one lane, whichever release it ran.
   *
   * @param laneName of `AgentLane`, or the `laneName` of a lane
   */
  static ofLane(agentName: string, laneName: string): TaskMetrics {
    return new TaskMetrics({ [Dimension.AGENT]: agentName, [Dimension.LANE]: laneName });
  }

  /** Metrics of one release, on whichever lane it ran. */
  static ofRelease(agentName: string, releaseId: string): TaskMetrics {
    return new TaskMetrics({ [Dimension.AGENT]: agentName, [Dimension.RELEASE]: releaseId });
  }

  /**
   * Metrics of the tasks to which a flag said this, over all lanes and releases.
   *
   * @param value `true` or `false`, the number in decimal digits, or the text
   */
  static ofFlag(agentName: string, flagName: string, value: string): TaskMetrics {
    return new TaskMetrics({ [Dimension.AGENT]: agentName, [Dimension.FLAG]: flagDimension(flagName, value) });
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

  /** Tasks that were cut off: timed out, or a limit of their release exceeded. Count; sum by default. */
  aborted(options?: MetricOptions): Metric {
    return this.metric(TaskMetric.ABORTED, Stats.SUM, options);
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

  /** Scores, 0 to 1, that agents gave their own results and users gave by feedback. Average by default. */
  qualityScore(options?: MetricOptions): Metric {
    return this.metric(TaskMetric.QUALITY, Stats.AVERAGE, options);
  }

  /** Attempts that failed and put the task back into its queue. Count; sum by default. */
  retries(options?: MetricOptions): Metric {
    return this.metric(WorkerMetric.RETRIED, Stats.SUM, options);
  }

  /** Results that came after their lease was lost, and were not written. Count; sum by default. */
  lateResults(options?: MetricOptions): Metric {
    return this.metric(WorkerMetric.LATE, Stats.SUM, options);
  }

  /** Tasks handed back because their worker had to end or their release was revoked. Count; sum by default. */
  requeued(options?: MetricOptions): Metric {
    return this.metric(WorkerMetric.REQUEUED, Stats.SUM, options);
  }

  /** Tasks that went to the dead-letter queue after their last attempt. Count; sum by default. */
  exhausted(options?: MetricOptions): Metric {
    return this.metric(WorkerMetric.EXHAUSTED, Stats.SUM, options);
  }

  /** Attempts that nobody ended, for their worker was gone: found by the next one. Count; sum by default. */
  abandoned(options?: MetricOptions): Metric {
    return this.metric(WorkerMetric.ABANDONED, Stats.SUM, options);
  }

  /** Steps whose journaled result was used instead of running them again. Count; sum by default. */
  replayedSteps(options?: MetricOptions): Metric {
    return this.metric(WorkerMetric.REPLAYED_STEPS, Stats.SUM, options);
  }

  /** Answers that came from a fallback, for the primary model gave none. Count; sum by default. */
  modelFallbacks(options?: MetricOptions): Metric {
    return this.metric(ModelMetric.FALLBACK, Stats.SUM, options);
  }

  /** Times that a worker left a model out for a while, for it had failed once too often. Count; sum by default. */
  modelCircuitsOpened(options?: MetricOptions): Metric {
    return this.metric(ModelMetric.CIRCUIT_OPENED, Stats.SUM, options);
  }

  /** Times that a task went back to its queue because the shared limit of a provider was used up. Count; sum by default. */
  modelRateLimitWaits(options?: MetricOptions): Metric {
    return this.metric(ModelMetric.RATE_LIMIT_WAIT, Stats.SUM, options);
  }

  private metric(metricName: string, statistic: string, options: MetricOptions = {}): Metric {
    return new Metric({
      namespace: METRIC_NAMESPACE,
      metricName,
      dimensionsMap: this.dimensions,
      statistic,
      ...options,
    });
  }
}
