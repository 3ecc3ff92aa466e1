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
import { laneError } from '../common/errors';
import type { TaskMetrics } from '../metrics';
import { type AlarmEvaluation, alarmEvaluationOf } from './alarm-evaluation';
import type { AlarmGateOptions, GateOptions } from './gate-options';
import type { GateSeverity } from './severity';

/** What a gate is bound to. */
export interface GateContext {
  readonly agentName: string;
  /** Metrics of the release that the template names: the candidate's during a rollout. */
  readonly candidate: TaskMetrics;
  /** Metrics of the stable lane. */
  readonly stable: TaskMetrics;
}

/** A gate as an alarm. */
export interface GateConfig {
  readonly metric: IMetric;
  readonly comparisonOperator: ComparisonOperator;
  readonly threshold: number;
  readonly evaluationPeriods: number;
  readonly datapointsToAlarm: number;
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

export interface CostGateOptions extends GateOptions {
  /**
   * Tolerated increase of the mean cost of a task over the stable lane's: 0.2 is 20 %.
   *
   * @default 0.2
   */
  readonly maxIncrease?: number;
}

/** Exactly one of `p99` and `maxIncrease`. */
export interface LatencyGateOptions extends GateOptions {
  /**
   * Longest tolerated p99 of a task's duration, from claim to final status.
   *
   * @default - judged against the stable lane
   */
  readonly p99?: Duration;

  /**
   * Tolerated increase of the p99 over the stable lane's: 0.5 is 50 %.
   *
   * @default - judged by `p99`
   */
  readonly maxIncrease?: number;
}

export interface ErrorRateGateOptions extends GateOptions {
  /**
   * Tolerated share of tasks that failed or timed out: 0.05 is 5 %.
   *
   * @default 0.05
   */
  readonly max?: number;
}

export interface ToolCallsGateOptions extends GateOptions {
  /**
   * Tolerated increase of the mean tool calls of a task over the stable lane's: 0.5 is 50 %.
   *
   * @default 0.5
   */
  readonly maxIncrease?: number;
}

export interface QualityScoreGateOptions extends GateOptions {
  /** Lowest tolerated mean score, 0 to 1. Only tasks that were scored count: by the agent (`ctx.score`), by feedback. */
  readonly min: number;
}

export interface CustomGateOptions extends AlarmGateOptions {
  /**
   * The metric or expression to judge, over its own period. Small samples are its own business: an expression like
   * `IF(n >= 20, v, 0)` makes them neutral.
   */
  readonly metric: IMetric;
  readonly comparisonOperator: ComparisonOperator;
  readonly threshold: number;
  /** What is measured, and what a breach means. */
  readonly description: string;
}

/**
 * What may stop a rollout: a CloudWatch alarm on the metrics of the release being rolled out.
 *
 * A period without tasks, or with fewer than `minSamples`, is neutral: an alarm cannot tell "quiet" from "good". That
 * a release has been seen at work at all is for the evidence check of the rollout to prove.
 */
export abstract class QualityGate {
  /** Mean cost of a task, compared with the stable lane. */
  static cost(props: CostGateOptions = {}): QualityGate {
    return new IncreaseGate(props, {
      what: 'mean cost of a task',
      maxIncrease: props.maxIncrease ?? 0.2,
      pick: (metrics, options) => metrics.cost(options),
      hint: 'compare tokens and tool calls per task of the two releases; a prompt that grew or a loop are the usual causes',
    });
  }

  /** 99th percentile of a task's duration: absolute, or compared with the stable lane. */
  static latency(props: LatencyGateOptions): QualityGate {
    return new LatencyGate(props);
  }

  /** Share of tasks that failed or timed out. */
  static errorRate(props: ErrorRateGateOptions = {}): QualityGate {
    return new ErrorRateGate(props);
  }

  /** Mean tool calls of a task, compared with the stable lane: an agent that goes round in circles. */
  static toolCalls(props: ToolCallsGateOptions = {}): QualityGate {
    return new IncreaseGate(props, {
      what: 'mean tool calls of a task',
      maxIncrease: props.maxIncrease ?? 0.5,
      pick: (metrics, options) => metrics.toolCalls(options),
      hint: 'read the log of a few tasks: a tool that answers with an error, or a prompt that no longer says when to stop',
    });
  }

  /** Mean score that results were given, by the agent itself and by users' feedback. */
  static qualityScore(props: QualityScoreGateOptions): QualityGate {
    return new QualityScoreGate(props);
  }

  /** A metric of your own. */
  static custom(props: CustomGateOptions): QualityGate {
    return new CustomGate(props);
  }

  /**
   * The alarm that this gate is.
   *
   * @throws if a value is out of range
   */
  abstract bind(scope: Construct, context: GateContext): GateConfig;
}

/** A mean of a task that may not rise too far above the stable lane's. */
interface ComparedMean {
  readonly what: string;
  readonly maxIncrease: number;
  readonly pick: (metrics: TaskMetrics, options: MetricOptions) => Metric;
  readonly hint: string;
}

class IncreaseGate extends QualityGate {
  constructor(
    private readonly props: GateOptions,
    private readonly mean: ComparedMean,
  ) {
    super();
  }

  bind(scope: Construct, { candidate, stable }: GateContext): GateConfig {
    const judgement = alarmEvaluationOf(scope, this.props);
    const { period } = judgement;
    const { what, maxIncrease, pick, hint } = this.mean;
    return increaseGate(scope, judgement, {
      what: `${what} (percent above the stable lane)`,
      maxIncrease,
      candidate: pick(candidate, { period }),
      stable: pick(stable, { period }),
      hint,
    });
  }
}

class LatencyGate extends QualityGate {
  constructor(private readonly props: LatencyGateOptions) {
    super();
  }

  bind(scope: Construct, context: GateContext): GateConfig {
    const judgement = alarmEvaluationOf(scope, this.props);
    const { period } = judgement;
    const { p99, maxIncrease } = this.props;
    const hint = 'look at the traces of the slowest tasks: model, tools or retries';
    if (p99 !== undefined && maxIncrease === undefined) {
      const limit = p99.toMilliseconds();
      if (limit <= 0) {
        throw laneError(
          scope,
          'InvalidGateOption',
          `latency gate: p99 is ${limit} ms, expected more than 0; state the longest tolerated duration`,
        );
      }
      return {
        ...common(judgement, `p99 of a task's duration (ms), tolerated up to ${limit}`, hint),
        metric: enoughSamples(judgement, {
          value: 'v',
          neutral: 0,
          metrics: { v: context.candidate.duration({ period }) },
          samples: context.candidate.duration({ period }),
          label: 'p99 duration (ms)',
        }),
        comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
        threshold: limit,
      };
    }
    if (maxIncrease !== undefined && p99 === undefined) {
      return increaseGate(scope, judgement, {
        what: "p99 of a task's duration (percent above the stable lane)",
        maxIncrease,
        candidate: context.candidate.duration({ period }),
        stable: context.stable.duration({ period }),
        hint,
      });
    }
    throw laneError(
      scope,
      'GateAmbiguous',
      `latency gate: ${p99 === undefined ? 'neither p99 nor maxIncrease is' : 'both p99 and maxIncrease are'} given, ` +
        'expected exactly one; for both write two gates',
    );
  }
}

class ErrorRateGate extends QualityGate {
  constructor(private readonly props: ErrorRateGateOptions) {
    super();
  }

  bind(scope: Construct, context: GateContext): GateConfig {
    const judgement = alarmEvaluationOf(scope, this.props);
    const { period } = judgement;
    const max = shareOf(scope, 'error rate gate: max', this.props.max ?? 0.05);
    return {
      ...common(
        judgement,
        `share of tasks that failed or timed out, tolerated up to ${max}`,
        'the task records name the error of each failed task',
      ),
      metric: new MathExpression({
        expression: `IF(n >= ${judgement.minSamples}, failed / n, 0)`,
        usingMetrics: { n: context.candidate.finished({ period }), failed: context.candidate.failed({ period }) },
        period,
        label: 'error rate',
      }),
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      threshold: max,
    };
  }
}

class QualityScoreGate extends QualityGate {
  constructor(private readonly props: QualityScoreGateOptions) {
    super();
  }

  bind(scope: Construct, context: GateContext): GateConfig {
    const judgement = alarmEvaluationOf(scope, this.props);
    const { period } = judgement;
    const min = shareOf(scope, 'quality score gate: min', this.props.min);
    return {
      ...common(
        judgement,
        `mean score of the results, tolerated down to ${min}`,
        'read the results with the lowest scores of both releases side by side',
      ),
      metric: enoughSamples(judgement, {
        value: 'v',
        neutral: 1,
        metrics: { v: context.candidate.qualityScore({ period }) },
        samples: context.candidate.qualityScore({ period }),
        label: 'mean quality score',
      }),
      comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
      threshold: min,
    };
  }
}

class CustomGate extends QualityGate {
  constructor(private readonly props: CustomGateOptions) {
    super();
  }

  bind(scope: Construct): GateConfig {
    const { minSamples: _, ...judged } = common(
      alarmEvaluationOf(scope, this.props),
      this.props.description,
      'see where the metric comes from',
    );
    return {
      ...judged,
      metric: this.props.metric,
      comparisonOperator: this.props.comparisonOperator,
      threshold: this.props.threshold,
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
 * 0 for an equal one. Far below anything that is measured.
 */
const EPSILON = '0.000000001';

/** Percent by which the candidate lies above the stable lane, once both have enough samples. */
function increaseGate(scope: Construct, judgement: AlarmEvaluation, increase: Increase): GateConfig {
  const { maxIncrease, candidate, stable } = increase;
  if (!(maxIncrease >= 0 && Number.isFinite(maxIncrease))) {
    throw laneError(
      scope,
      'InvalidGateOption',
      `maxIncrease is ${maxIncrease}, expected 0 or more; 0.2 tolerates 20 % more than the stable lane`,
    );
  }
  const percent = Number((maxIncrease * 100).toPrecision(12));
  return {
    ...common(judgement, `${increase.what}, tolerated up to ${percent} %`, increase.hint),
    metric: enoughSamples(judgement, {
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
function enoughSamples(judgement: AlarmEvaluation, sampled: Sampled): MathExpression {
  const { minSamples, period } = judgement;
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
    throw laneError(scope, 'InvalidGateOption', `${name} is ${share}, expected 0 to 1; 0.05 is 5 %`);
  }
  return share;
}

function common(
  judgement: AlarmEvaluation,
  what: string,
  hint: string,
): Pick<GateConfig, 'evaluationPeriods' | 'datapointsToAlarm' | 'severity' | 'minSamples' | 'description'> {
  const { evaluationPeriods, datapointsToAlarm, severity, minSamples, runbook } = judgement;
  const description = `${what}. What to do: ${runbook ?? hint}.`;
  return { evaluationPeriods, datapointsToAlarm, severity, minSamples, description };
}
