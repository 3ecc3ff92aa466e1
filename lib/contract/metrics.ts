/**
 * Metric names, dimensions and units. The runtime emits with these constants and the alarms watch with them,
 * so that an alarm on a metric that nobody emits cannot be written.
 */

export const METRIC_NAMESPACE = 'AgentLanes';

export const Dimension = {
  AGENT: 'Agent',
  LANE: 'Lane',
  RELEASE: 'Release',
  /** `<flag>=<variant>`: task metrics of tasks that met the flag so. */
  FLAG: 'Flag',
  /** Name of a secret, as the agent knows it. */
  SECRET: 'Secret',
} as const;

/**
 * Every task metric is emitted in these three sets, and of tasks that met flags in {@link FLAG_DIMENSIONS}. Probe tasks
 * emit no task metric.
 * Candidate gates read {Agent, Release}; comparisons read {Agent, Lane=stable}.
 */
export const DIMENSION_SETS = [
  [Dimension.AGENT],
  [Dimension.AGENT, Dimension.LANE],
  [Dimension.AGENT, Dimension.RELEASE],
] as const;

/** Task metrics of a task that met flags are emitted in this set too, once for each of them. */
export const FLAG_DIMENSIONS = [Dimension.AGENT, Dimension.FLAG] as const;

/** Task metrics: emitted once per finished task by the worker, in all of {@link DIMENSION_SETS}. */
export const TaskMetric = {
  /** 1 per task that reached a final status. Count. */
  FINISHED: 'TasksFinished',
  /** 1 if the final status is succeeded, else 0. Count. */
  SUCCEEDED: 'TasksSucceeded',
  /** 1 if the final status is failed or timed_out, else 0. Count. */
  FAILED: 'TasksFailed',
  /** 1 if the task was cut off: timed out, or a limit of its release exceeded; else 0. Count. */
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
   * once per judgement. No unit.
   */
  QUALITY: 'TaskQualityScore',
} as const;
export type TaskMetricName = (typeof TaskMetric)[keyof typeof TaskMetric];

/**
 * Worker metrics: emitted when it happens, in all of {@link DIMENSION_SETS}. Count, but for the steps each 1 per event.
 */
export const WorkerMetric = {
  /** An attempt failed and the task went back to its queue. */
  RETRIED: 'TaskRetries',
  /** A result came after its lease was lost, and was not written. */
  LATE: 'TaskLateResults',
  /** A task was handed back: its worker had to end or to stop, or its release was revoked. */
  REQUEUED: 'TasksRequeued',
  /** A task went to the dead-letter queue after its last attempt. */
  EXHAUSTED: 'TasksExhausted',
  /** A worker claimed a task whose last attempt nobody had ended: its lease had run out. */
  ABANDONED: 'TaskAttemptsAbandoned',
  /** Journal entries that were used instead of running the step again; one event per attempt that replayed any. */
  REPLAYED_STEPS: 'TaskStepsReplayed',
} as const;

/** Model metrics: emitted by the worker when it happens, in all of {@link DIMENSION_SETS}. Count. */
export const ModelMetric = {
  /** A model of the chain other than the primary answered. */
  FALLBACK: 'ModelFallbacks',
  /** A circuit breaker opened: the model is left out for a while. */
  BREAKER_OPENED: 'ModelBreakersOpened',
  /** A task went back to its queue because the shared limit of the provider was used up. */
  RATE_WAIT: 'ModelRateWaits',
} as const;

/** Budget metrics, dimension {Agent}: emitted by the worker when it has added a task's cost. Percent of the day's budget. */
export const BudgetMetric = {
  AGENT_USED: 'AgentBudgetUsed',
  /** Of the user whose task it was: the highest of a minute tells whether anybody is near. */
  USER_USED: 'UserBudgetUsed',
  /** A request that was refused, or a task that was kept waiting, for a budget that is used up. Count. */
  EXCEEDED: 'BudgetExceeded',
} as const;

/** Rotation metrics, dimensions {Agent, Secret}: emitted by the rotation function. */
export const RotationMetric = {
  /** One rotation that came to its end. Count. */
  ROTATED: 'SecretRotations',
  /** 1 for a step that failed, 0 for a rotation that came to its end. Count. */
  FAILED: 'SecretRotationFailures',
  /** Keys of a pool that were not used yet. Count. */
  POOL_LEFT: 'SecretPoolKeysLeft',
  /** Days since the current value became current: emitted every hour, and 0 at the end of a rotation. No unit. */
  AGE: 'SecretAgeDays',
} as const;

/** Webhook metrics: emitted by the webhook function, dimension {Agent}. Count. */
export const WebhookMetric = {
  DELIVERED: 'WebhooksDelivered',
  /** One delivery that did not succeed. */
  FAILED: 'WebhookFailures',
  /** A webhook that was given up. */
  ABANDONED: 'WebhooksAbandoned',
} as const;

/** Preflight metrics, dimensions {Agent, Lane}: emitted by the preflight. Count. */
export const PreflightMetric = {
  /**
   * A probe that was put into the lane's queue. Probes do not pass the router, and SQS may be a quarter of an hour late with
   * the metrics of a queue that slept: a lane without workers starts them by this.
   */
  PROBES: 'ProbesSent',
} as const;

/** Dimension sets of an intake metric that concerns one lane. */
export const INTAKE_DIMENSION_SETS = [[Dimension.AGENT], [Dimension.AGENT, Dimension.LANE]] as const;

/** Intake metrics: emitted by the router, in {@link INTAKE_DIMENSION_SETS}, or {Agent} where there is no lane. Count. */
export const IntakeMetric = {
  ACCEPTED: 'TasksAccepted',
  REFUSED: 'TasksRefused',
  /** Of the refused: those answered 429 for the age of the backlog. {Agent} and {Agent, Lane}. */
  SHED: 'TasksShed',
  /** Tasks cancelled while they were queued, by the status API. {Agent} and {Agent, Lane}. */
  CANCELLED: 'TasksCancelledInQueue',
  /** Judgements by users. {Agent}. */
  FEEDBACK: 'TaskFeedback',
} as const;
