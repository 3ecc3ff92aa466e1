/**
 * Metric names, dimensions and units. The runtime emits with these constants and the alarms watch with them,
 * so that an alarm on a metric that nobody emits cannot be written.
 */

export const METRIC_NAMESPACE = 'AgentLanes';

export const Dimension = {
  AGENT: 'Agent',
  LANE: 'Lane',
  RELEASE: 'Release',
} as const;

/**
 * Every task metric is emitted in these three sets, and in no other. Probe tasks emit no task metric.
 * Candidate gates read {Agent, Release}; comparisons read {Agent, Lane=stable}.
 */
export const DIMENSION_SETS = [
  [Dimension.AGENT],
  [Dimension.AGENT, Dimension.LANE],
  [Dimension.AGENT, Dimension.RELEASE],
] as const;

/** Task metrics: emitted once per finished task by the worker, in all of {@link DIMENSION_SETS}. */
export const TaskMetric = {
  /** 1 per task that reached a final status. Count. */
  FINISHED: 'TasksFinished',
  /** 1 if the final status is succeeded, else 0. Count. */
  SUCCEEDED: 'TasksSucceeded',
  /** 1 if the final status is failed or timed_out, else 0. Count. */
  FAILED: 'TasksFailed',
  /** From claim to final status. Milliseconds. */
  DURATION: 'TaskDuration',
  /** From acceptance to claim. Milliseconds. */
  QUEUE_WAIT: 'TaskQueueWait',
  /** Priced from the tokens used and the price table in the release. US dollars, no unit in CloudWatch. */
  COST: 'TaskCost',
  /** Tool calls made by the task. Count. */
  TOOL_CALLS: 'TaskToolCalls',
  /** Count. */
  INPUT_TOKENS: 'TaskInputTokens',
  /** Count. */
  OUTPUT_TOKENS: 'TaskOutputTokens',
  /** 0 to 1, as scored by the agent itself (`ctx.score`). Emitted only for tasks that were scored. No unit. */
  QUALITY: 'TaskQualityScore',
} as const;
export type TaskMetricName = (typeof TaskMetric)[keyof typeof TaskMetric];

/** Intake metrics: emitted by the router, dimensions {Agent} and {Agent, Lane}. Count. */
export const IntakeMetric = {
  ACCEPTED: 'TasksAccepted',
  REFUSED: 'TasksRefused',
} as const;
