/**
 * Metric names, dimensions and units. The runtime emits with these constants and the alarms watch with them, so an alarm
 * cannot watch a metric that is never emitted.
 */

export const METRIC_NAMESPACE = 'AgentLanes';

export const Dimension = {
  AGENT: 'Agent',
  LANE: 'Lane',
  RELEASE: 'Release',
  /** `<flag>=<value>`: task metrics of tasks that read this value of the flag. */
  FLAG: 'Flag',
  /** Name under which the agent reads the secret. */
  SECRET: 'Secret',
} as const;

/**
 * Every task metric is emitted in these three sets, and for tasks that read flags also in {@link FLAG_DIMENSIONS}. Probe
 * tasks emit no task metrics.
 * Candidate gates read {Agent, Release}; comparisons read {Agent, Lane=stable}.
 */
export const DIMENSION_SETS = [
  [Dimension.AGENT],
  [Dimension.AGENT, Dimension.LANE],
  [Dimension.AGENT, Dimension.RELEASE],
] as const;

/** Dimensions of the task metrics of a task that read flags: emitted once for each flag. */
export const FLAG_DIMENSIONS = [Dimension.AGENT, Dimension.FLAG] as const;

/** Task metrics: emitted once per finished task by the worker, in all of {@link DIMENSION_SETS}. */
export const TaskMetric = {
  /** 1 per task that reached a final status. Count. */
  FINISHED: 'TasksFinished',
  /** 1 if the final status is succeeded, else 0. Count. */
  SUCCEEDED: 'TasksSucceeded',
  /** 1 if the final status is failed or timed_out, else 0. Count. */
  FAILED: 'TasksFailed',
  /** 1 if the task timed out or exceeded a limit of its release, else 0. Count. */
  ABORTED: 'TasksAborted',
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
  /**
   * 0 to 1, as scored by the agent itself (`ctx.score`) or by a user's feedback. Emitted only for tasks that were scored,
   * once per score. No unit.
   */
  QUALITY: 'TaskQualityScore',
} as const;

/**
 * Worker metrics: emitted per event, in all of {@link DIMENSION_SETS}. Count: 1 per event, except for the steps.
 */
export const WorkerMetric = {
  /** An attempt failed and the task was requeued. */
  RETRIED: 'TaskRetries',
  /** An attempt had a result after its lease was lost; the result was discarded. */
  LATE: 'TaskLateResults',
  /** A task was requeued because its worker stopped or reached its timeout, or because its release was revoked. */
  REQUEUED: 'TasksRequeued',
  /** A task failed at its last attempt and moved to the dead-letter queue. */
  EXHAUSTED: 'TasksExhausted',
  /** A worker claimed a task whose previous attempt had not ended: its lease had expired. */
  ABANDONED: 'TaskAttemptsAbandoned',
  /** Steps that were read from the journal instead of run again; one event per attempt that replayed any. */
  REPLAYED_STEPS: 'TaskStepsReplayed',
} as const;

/** Model metrics: emitted by the worker per event, in all of {@link DIMENSION_SETS}. Count. */
export const ModelMetric = {
  /** A model of the chain other than the primary answered. */
  FALLBACK: 'ModelFallbacks',
  /** The circuit breaker of a model opened: the model is skipped for a while. */
  CIRCUIT_OPENED: 'ModelCircuitsOpened',
  /** A task was requeued because the shared rate limit of the provider was used up. */
  RATE_LIMIT_WAIT: 'ModelRateLimitWaits',
} as const;

/** Budget metrics, dimension {Agent}: emitted by the worker after it added a task's cost. Percent of the daily budget. */
export const BudgetMetric = {
  AGENT_USED: 'AgentBudgetUsed',
  /** Budget of the task's user: the maximum of a minute shows the user who is closest to the budget. */
  USER_USED: 'UserBudgetUsed',
  /** A request was refused, or a task had to wait, because a budget is used up. Count. */
  EXCEEDED: 'BudgetExceeded',
} as const;

/** Rotation metrics, dimensions {Agent, Secret}: emitted by the rotation function. */
export const RotationMetric = {
  /** A rotation completed. Count. */
  ROTATED: 'SecretRotations',
  /** 1 for a failed step, 0 for a completed rotation. Count. */
  FAILED: 'SecretRotationFailures',
  /** Unused keys of a pool. Count. */
  POOL_REMAINING: 'SecretPoolKeysRemaining',
  /** Days since the current value became current: emitted every hour, and 0 after a rotation. No unit. */
  AGE: 'SecretAgeDays',
} as const;

/** Webhook metrics: emitted by the webhook function, dimension {Agent}. Count. */
export const WebhookMetric = {
  DELIVERED: 'WebhooksDelivered',
  /** A delivery failed. */
  FAILED: 'WebhookFailures',
  /** A webhook was abandoned. */
  ABANDONED: 'WebhooksAbandoned',
} as const;

/** Preflight metrics, dimensions {Agent, Lane}: emitted by the preflight. Count. */
export const PreflightMetric = {
  /**
   * A probe was sent to the lane's queue. Probes do not pass the router, and SQS metrics of an inactive queue may be 15
   * minutes late: a lane without workers scales out by this metric.
   */
  PROBES: 'ProbesSent',
} as const;

/** Dimension sets of an intake metric that concerns one lane. */
export const INTAKE_DIMENSION_SETS = [[Dimension.AGENT], [Dimension.AGENT, Dimension.LANE]] as const;

/** Intake metrics: emitted by the router, in {@link INTAKE_DIMENSION_SETS}, or {Agent} where there is no lane. Count. */
export const IntakeMetric = {
  ACCEPTED: 'TasksAccepted',
  REFUSED: 'TasksRefused',
  /** Refused with 429 because of the age of the backlog; part of the refused. {Agent} and {Agent, Lane}. */
  SHED: 'TasksShed',
  /** Tasks cancelled while they were queued, by the status API. {Agent} and {Agent, Lane}. */
  CANCELLED: 'TasksCancelledInQueue',
  /** Feedback from users. {Agent}. */
  FEEDBACK: 'TaskFeedback',
} as const;
