import type { Duration } from 'aws-cdk-lib';
import {
  ComparisonOperator,
  type IMetric,
  MathExpression,
  type Metric,
  type MetricOptions,
  Stats,
} from 'aws-cdk-lib/aws-cloudwatch';
import type { Construct } from 'constructs';
import { laneError } from '../common';
import type { TaskMetricSet } from '../metrics';
import {
  type AlarmEvaluation,
  type AlarmGateOptions,
  alarmEvaluationOf,
  type GateOptions,
  type GateSeverity,
} from './gate-options';

/** What a gate judges. */
export interface GateContext {
  /** Name of the agent, and value of the metric dimension `Agent`. */
  readonly agentName: string;
  /** Metrics of the release that the template names: the candidate's during a rollout. */
  readonly candidate: TaskMetricSet;
  /** Metrics of the stable lane. */
  readonly stable: TaskMetricSet;
}

/** A gate as an alarm. */
export interface GateConfig {
  /** Metric or expression, with its period. */
  readonly metric: IMetric;
  /** How the metric is compared with `threshold`. */
  readonly comparisonOperator: ComparisonOperator;
  /** In the unit of the metric. */
  readonly threshold: number;
  /** Periods that CloudWatch evaluates together. */
  readonly evaluationPeriods: number;
  /** Of these, the periods that must breach. */
  readonly datapointsToAlarm: number;
  /** What a breach does. */
  readonly severity: GateSeverity;
  /**
   * Samples below which the gate is neutral.
   *
   * @default - unknown: the metric itself decides
   */
  readonly minSamples?: number;
  /** What is measured, what a breach means and what to do. */
  readonly description: string;
}

/** Options of {@link QualityGate.cost}. */
export interface CostGateOptions extends GateOptions {
  /**
   * Tolerated increase of the mean cost of a task over the stable lane's: 0.2 is 20 %.
   *
   * @default 0.2
   */
  readonly maxIncrease?: number;
}

/** Options of {@link QualityGate.latency}. */
export interface LatencyGateOptions extends GateOptions {
  /** Longest tolerated p99 of a task's duration, from claim to final status. */
  readonly p99: Duration;
}

/** Options of {@link QualityGate.latencyIncrease}. */
export interface LatencyIncreaseGateOptions extends GateOptions {
  /**
   * Tolerated increase of the p99 of a task's duration over the stable lane's: 0.5 is 50 %.
   *
   * @default 0.5
   */
  readonly maxIncrease?: number;
}

/** Options of {@link QualityGate.errorRate}. */
export interface ErrorRateGateOptions extends GateOptions {
  /**
   * Tolerated share of tasks that failed or timed out: 0.05 is 5 %.
   *
   * @default 0.05
   */
  readonly max?: number;
}

/** Options of {@link QualityGate.toolCalls}. */
export interface ToolCallsGateOptions extends GateOptions {
  /**
   * Tolerated increase of the mean tool calls of a task over the stable lane's: 0.5 is 50 %.
   *
   * @default 0.5
   */
  readonly maxIncrease?: number;
}

/** Options of {@link QualityGate.qualityScore}. */
export interface QualityScoreGateOptions extends GateOptions {
  /** Lowest tolerated mean score, 0 to 1. Only tasks with a score count: scored by the agent (`ctx.score`) or by feedback. */
  readonly min: number;
}

/** Options of {@link QualityGate.custom}. */
export interface CustomGateOptions extends AlarmGateOptions {
  /**
   * The metric or expression to judge, over its own period. It handles small samples itself: an expression like
   * `IF(n >= 20, v, 0)` makes them neutral.
   */
  readonly metric: IMetric;
  /** How the metric is compared with `threshold`. */
  readonly comparisonOperator: ComparisonOperator;
  /** In the unit of the metric. */
  readonly threshold: number;
  /** What is measured, and what a breach means. */
  readonly description: string;
}

/**
 * What may stop a rollout: a CloudWatch alarm on the metrics of the release being rolled out.
 *
 * A period without tasks, or with fewer than `minSamples`, is neutral: an alarm cannot tell "quiet" from "good". The
 * evidence check of the rollout proves that the release has finished tasks.
 */
export abstract class QualityGate {
  /** Mean cost of a task, compared with the stable lane. */
  static cost(options: CostGateOptions = {}): QualityGate {
    return new IncreaseGate(options, {
      what: 'mean cost of a task',
      maxIncrease: options.maxIncrease ?? 0.2,
      pick: (metrics, metricOptions) => metrics.metricCost(metricOptions),
      hint: 'compare tokens and tool calls per task of the two releases; a prompt that grew or a loop are the usual causes',
    });
  }

  /** 99th percentile of a task's duration, in absolute terms. */
  static latency(options: LatencyGateOptions): QualityGate {
    return new LatencyGate(options);
  }

  /** 99th percentile of a task's duration, compared with the stable lane. */
  static latencyIncrease(options: LatencyIncreaseGateOptions = {}): QualityGate {
    return new IncreaseGate(options, {
      what: "p99 of a task's duration",
      maxIncrease: options.maxIncrease ?? 0.5,
      pick: (metrics, metricOptions) => metrics.metricDuration(metricOptions),
      hint: LATENCY_HINT,
    });
  }

  /** Share of tasks that failed or timed out. */
  static errorRate(options: ErrorRateGateOptions = {}): QualityGate {
    return new ErrorRateGate(options);
  }

  /** Mean tool calls of a task, compared with the stable lane: rises when an agent loops. */
  static toolCalls(options: ToolCallsGateOptions = {}): QualityGate {
    return new IncreaseGate(options, {
      what: 'mean tool calls of a task',
      maxIncrease: options.maxIncrease ?? 0.5,
      pick: (metrics, metricOptions) => metrics.metricToolCalls(metricOptions),
      hint: 'read the log of a few tasks: a tool that answers with an error, or a prompt that no longer says when to stop',
    });
  }

  /** Mean score that results were given, by the agent itself and by users' feedback. */
  static qualityScore(options: QualityScoreGateOptions): QualityGate {
    return new QualityScoreGate(options);
  }

  /** A metric of your own. */
  static custom(options: CustomGateOptions): QualityGate {
    return new CustomGate(options);
  }

  /**
   * Turns the gate into the settings of an alarm.
   *
   * @throws LaneError if a value is out of range
   *
   * @internal
   */
  abstract _bind(scope: Construct, context: GateContext): GateConfig;
}

const LATENCY_HINT = 'look at the traces of the slowest tasks: model, tools or retries';

/** A statistic of tasks that may not rise too far above the stable lane's. */
interface ComparedStatistic {
  readonly what: string;
  readonly maxIncrease: number;
  readonly pick: (metrics: TaskMetricSet, options: MetricOptions) => Metric;
  readonly hint: string;
}

class IncreaseGate extends QualityGate {
  constructor(
    private readonly options: GateOptions,
    private readonly statistic: ComparedStatistic,
  ) {
    super();
  }

  /** @internal */
  _bind(scope: Construct, { candidate, stable }: GateContext): GateConfig {
    const evaluation = alarmEvaluationOf(scope, this.options);
    const { period } = evaluation;
    const { what, maxIncrease, pick, hint } = this.statistic;
    return increaseGate(scope, evaluation, {
      what: `${what} (percent above the stable lane)`,
      maxIncrease,
      candidate: pick(candidate, { period }),
      stable: pick(stable, { period }),
      hint,
    });
  }
}

class LatencyGate extends QualityGate {
  constructor(private readonly options: LatencyGateOptions) {
    super();
  }

  /** @internal */
  _bind(scope: Construct, { candidate }: GateContext): GateConfig {
    const evaluation = alarmEvaluationOf(scope, this.options);
    const duration = candidate.metricDuration({ period: evaluation.period });
    const limit = this.options.p99.toMilliseconds();
    if (limit <= 0) {
      throw laneError(
        scope,
        'InvalidGateOption',
        `latency gate: p99 must be more than 0, got ${limit} ms; set the longest tolerated duration`,
      );
    }
    return {
      ...common(evaluation, `p99 of a task's duration (ms), tolerated up to ${limit}`, LATENCY_HINT),
      metric: enoughSamples(evaluation, {
        value: 'v',
        neutral: 0,
        metrics: { v: duration },
        samples: duration,
        label: 'p99 duration (ms)',
      }),
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      threshold: limit,
    };
  }
}

class ErrorRateGate extends QualityGate {
  constructor(private readonly options: ErrorRateGateOptions) {
    super();
  }

  /** @internal */
  _bind(scope: Construct, context: GateContext): GateConfig {
    const evaluation = alarmEvaluationOf(scope, this.options);
    const { period } = evaluation;
    const max = shareOf(scope, 'error rate gate: max', this.options.max ?? 0.05);
    return {
      ...common(
        evaluation,
        `share of tasks that failed or timed out, tolerated up to ${max}`,
        'the task records name the error of each failed task',
      ),
      metric: new MathExpression({
        expression: `IF(n >= ${evaluation.minSamples}, failed / n, 0)`,
        usingMetrics: {
          n: context.candidate.metricTasksFinished({ period }),
          failed: context.candidate.metricTasksFailed({ period }),
        },
        period,
        label: 'error rate',
      }),
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      threshold: max,
    };
  }
}

class QualityScoreGate extends QualityGate {
  constructor(private readonly options: QualityScoreGateOptions) {
    super();
  }

  /** @internal */
  _bind(scope: Construct, context: GateContext): GateConfig {
    const evaluation = alarmEvaluationOf(scope, this.options);
    const { period } = evaluation;
    const min = shareOf(scope, 'quality score gate: min', this.options.min);
    return {
      ...common(
        evaluation,
        `mean score of the results, tolerated down to ${min}`,
        'read the results with the lowest scores of both releases side by side',
      ),
      metric: enoughSamples(evaluation, {
        value: 'v',
        neutral: 1,
        metrics: { v: context.candidate.metricQualityScore({ period }) },
        samples: context.candidate.metricQualityScore({ period }),
        label: 'mean quality score',
      }),
      comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
      threshold: min,
    };
  }
}

class CustomGate extends QualityGate {
  constructor(private readonly options: CustomGateOptions) {
    super();
  }

  /** @internal */
  _bind(scope: Construct): GateConfig {
    const { minSamples: _, ...judged } = common(
      alarmEvaluationOf(scope, this.options),
      this.options.description,
      'see where the metric comes from',
    );
    return {
      ...judged,
      metric: this.options.metric,
      comparisonOperator: this.options.comparisonOperator,
      threshold: this.options.threshold,
    };
  }
}

interface Increase {
  readonly what: string;
  readonly maxIncrease: number;
  readonly candidate: Metric;
  readonly stable: Metric;
  readonly hint: string;
}

/**
 * Keeps the division defined when the stable lane's mean is 0: the increase is then huge for any candidate above 0, and
 * 0 for an equal one. It is far below any measured value.
 */
const EPSILON = '0.000000001';

/** Percent by which the candidate is above the stable lane, once both have enough samples. */
function increaseGate(scope: Construct, evaluation: AlarmEvaluation, increase: Increase): GateConfig {
  const { maxIncrease, candidate, stable } = increase;
  if (!(maxIncrease >= 0 && Number.isFinite(maxIncrease))) {
    throw laneError(
      scope,
      'InvalidGateOption',
      `maxIncrease must be 0 or more, got ${maxIncrease}; 0.2 tolerates 20 % more than the stable lane`,
    );
  }
  const percent = Number((maxIncrease * 100).toPrecision(12));
  return {
    ...common(evaluation, `${increase.what}, tolerated up to ${percent} %`, increase.hint),
    metric: enoughSamples(evaluation, {
      value: `100 * (v - base) / (base + ${EPSILON})`,
      neutral: 0,
      metrics: { v: candidate, base: stable },
      samples: candidate,
      baseSamples: stable,
      label: 'increase over the stable lane (%)',
    }),
    comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
    threshold: percent,
  };
}

interface Sampled {
  /** Expression over `metrics`. */
  readonly value: string;
  /** Value of a period with too few samples. */
  readonly neutral: number;
  readonly metrics: Record<string, IMetric>;
  /** Metric whose data points are counted. */
  readonly samples: Metric;
  readonly baseSamples?: Metric;
  readonly label: string;
}

/**
 * `IF(enough samples, value, neutral)`. The metrics of a task are emitted together, so a period has a value wherever it
 * has a count; a period with neither has no data point at all, which the alarm treats as not breaching.
 */
function enoughSamples(evaluation: AlarmEvaluation, sampled: Sampled): MathExpression {
  const { minSamples, period } = evaluation;
  const { baseSamples } = sampled;
  const condition = baseSamples === undefined ? `n >= ${minSamples}` : `n >= ${minSamples} AND s >= ${minSamples}`;
  const counted = (metric: Metric): Metric => metric.with({ statistic: Stats.SAMPLE_COUNT });
  return new MathExpression({
    expression: `IF(${condition}, ${sampled.value}, ${sampled.neutral})`,
    usingMetrics: {
      n: counted(sampled.samples),
      ...(baseSamples === undefined ? {} : { s: counted(baseSamples) }),
      ...sampled.metrics,
    },
    period,
    label: sampled.label,
  });
}

function shareOf(scope: Construct, name: string, share: number): number {
  if (!(share >= 0 && share <= 1)) {
    throw laneError(scope, 'InvalidGateOption', `${name} must be between 0 and 1, got ${share}; 0.05 is 5 %`);
  }
  return share;
}

function common(
  evaluation: AlarmEvaluation,
  what: string,
  hint: string,
): Pick<GateConfig, 'evaluationPeriods' | 'datapointsToAlarm' | 'severity' | 'minSamples' | 'description'> {
  const { evaluationPeriods, datapointsToAlarm, severity, minSamples, runbook } = evaluation;
  const description = `${what}. What to do: ${runbook ?? hint}.`;
  return { evaluationPeriods, datapointsToAlarm, severity, minSamples, description };
}
