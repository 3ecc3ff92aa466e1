import { Duration, Token } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { describeValue } from '../common';
import { laneError } from '../common/errors';
import type { GateOptions } from './gate-options';
import { GateSeverity } from './severity';

/** The options of a gate, filled in and checked. */
export interface AlarmEvaluation {
  readonly severity: GateSeverity;
  readonly minSamples: number;
  readonly period: Duration;
  readonly evaluationPeriods: number;
  readonly datapointsToAlarm: number;
  readonly runbook: string | undefined;
}

/** Longest window of an alarm with periods below an hour; see PutMetricAlarm in the CloudWatch API reference. */
const MAX_WINDOW = Duration.days(1);

/** @throws if an option is out of range */
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
      `period is ${seconds} s, expected whole minutes; task metrics have a resolution of one minute`,
    );
  }
  positiveInteger(scope, 'evaluationPeriods', evaluationPeriods);
  positiveInteger(scope, 'datapointsToAlarm', datapointsToAlarm);
  positiveInteger(scope, 'minSamples', minSamples);
  if (datapointsToAlarm > evaluationPeriods) {
    throw laneError(
      scope,
      'InvalidGateOption',
      `datapointsToAlarm is ${datapointsToAlarm}, expected at most evaluationPeriods (${evaluationPeriods}); ` +
        'it is the "M" of "M of N"',
    );
  }
  if (seconds * evaluationPeriods > MAX_WINDOW.toSeconds()) {
    throw laneError(
      scope,
      'InvalidGateOption',
      `period times evaluationPeriods is ${seconds * evaluationPeriods} s, expected at most ` +
        `${MAX_WINDOW.toSeconds()} s, the longest window of a CloudWatch alarm; shorten one of them`,
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

function positiveInteger(scope: Construct, name: string, value: number): void {
  if (Token.isUnresolved(value) || !Number.isInteger(value) || value < 1) {
    throw laneError(scope, 'InvalidGateOption', `${name} must be an integer of 1 or more, got ${describeValue(value)}`);
  }
}
