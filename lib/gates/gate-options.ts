import { Duration, Token } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { describeValue, laneError } from '../common';

/** What a breach of a gate does. */
export enum GateSeverity {
  /** Stops the shift: CodeDeploy moves the alias back and the stack rolls back. Also notifies the topic. */
  CRITICAL = 'critical',
  /** Notifies the topic and does not stop the rollout. */
  WARNING = 'warning',
}

/** Options of every gate. */
export interface AlarmGateOptions {
  /**
   * What a breach does.
   *
   * @default GateSeverity.CRITICAL
   */
  readonly severity?: GateSeverity;

  /**
   * Periods that CloudWatch evaluates together: an integer of 1 or more. The product of `period` and
   * `evaluationPeriods` is at most a day
   * (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html).
   *
   * @default 3
   */
  readonly evaluationPeriods?: number;

  /**
   * Of these, the periods that must breach: an integer between 1 and `evaluationPeriods`. The metrics are extracted from
   * logs and arrive late, so the latest period is often incomplete: use more than one with periods of a minute.
   *
   * @default - 2, or 1 with one evaluation period
   */
  readonly datapointsToAlarm?: number;

  /**
   * What an operator should do when the gate breaches, or the URL of a runbook. Becomes part of the alarm's description,
   * which has at most 1,024 characters.
   *
   * @default - a hint that suits the gate
   */
  readonly runbook?: string;
}

/** Options of gates on the task metrics. */
export interface GateOptions extends AlarmGateOptions {
  /**
   * Tasks that a period must have before the gate judges it: an integer of 1 or more. A period with fewer is neutral.
   * Relative gates require the same of the stable lane. With few samples a gate breaches by chance: a rule "20 % worse"
   * rejects an equal release in about one of six evaluations of 20 tasks if costs vary much.
   *
   * @default 20
   */
  readonly minSamples?: number;

  /**
   * Length of one period: whole minutes. CloudWatch evaluates the latest periods every minute. One period as long as the
   * canary judges everything observed so far, which suits agents with few tasks.
   *
   * @default Duration.minutes(1)
   */
  readonly period?: Duration;
}

/** The options of a gate, checked, with the defaults filled in. */
export interface AlarmEvaluation {
  readonly severity: GateSeverity;
  readonly minSamples: number;
  readonly period: Duration;
  readonly evaluationPeriods: number;
  readonly datapointsToAlarm: number;
  readonly runbook: string | undefined;
}

/**
 * Longest window of an alarm with periods below an hour:
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
 */
const MAX_WINDOW = Duration.days(1);

/** @throws LaneError if an option is out of range */
export function alarmEvaluationOf(scope: Construct, options: GateOptions): AlarmEvaluation {
  const period = options.period ?? Duration.minutes(1);
  const evaluationPeriods = options.evaluationPeriods ?? 3;
  const minSamples = options.minSamples ?? 20;
  const datapointsToAlarm = options.datapointsToAlarm ?? Math.min(2, evaluationPeriods);
  const seconds = period.toSeconds();
  if (seconds < 60 || seconds % 60 !== 0) {
    throw laneError(
      scope,
      'InvalidGateOption',
      `period must be whole minutes, got ${seconds} s; task metrics have a resolution of one minute`,
    );
  }
  checkPositiveInteger(scope, 'evaluationPeriods', evaluationPeriods);
  checkPositiveInteger(scope, 'datapointsToAlarm', datapointsToAlarm);
  checkPositiveInteger(scope, 'minSamples', minSamples);
  if (datapointsToAlarm > evaluationPeriods) {
    throw laneError(
      scope,
      'InvalidGateOption',
      `datapointsToAlarm must be at most evaluationPeriods (${evaluationPeriods}), got ${datapointsToAlarm}; it is the "M" of "M of N"`,
    );
  }
  if (seconds * evaluationPeriods > MAX_WINDOW.toSeconds()) {
    throw laneError(
      scope,
      'InvalidGateOption',
      `period times evaluationPeriods must be at most ${MAX_WINDOW.toSeconds()} s, the longest window of a CloudWatch alarm, got ${seconds * evaluationPeriods} s; shorten one of them`,
    );
  }
  return {
    severity: options.severity ?? GateSeverity.CRITICAL,
    minSamples,
    period,
    evaluationPeriods,
    datapointsToAlarm,
    runbook: options.runbook,
  };
}

function checkPositiveInteger(scope: Construct, name: string, value: number): void {
  if (Token.isUnresolved(value) || !Number.isInteger(value) || value < 1) {
    throw laneError(scope, 'InvalidGateOption', `${name} must be an integer of 1 or more, got ${describeValue(value)}`);
  }
}
