import type { Alarm, IAlarmAction } from 'aws-cdk-lib/aws-cloudwatch';
import type { Construct } from 'constructs';
import { createAlarm, laneError, MAX_ALARM_DESCRIPTION } from '../common';
import { GateSeverity } from './gate-options';
import type { GateConfig, GateContext, QualityGate } from './quality-gate';

/** A gate, bound to the metrics that it judges. */
export interface GateAlarm {
  readonly alarm: Alarm;
  readonly critical: boolean;
  /** Samples below which the gate is neutral. */
  readonly minSamples: number;
}

/** How a gate becomes an alarm. */
export interface GateAlarmOptions {
  /** What the gate judges. */
  readonly context: GateContext;
  /** Notified about every breach. @default - no alarm action */
  readonly alarmAction?: IAlarmAction;
  /** Text in front of the gate's own description. */
  readonly describe: (config: GateConfig) => string;
}

/**
 * Creates the alarm of one gate. Its id is the gate's name.
 *
 * @throws LaneError for a name that is no logical id, and for a description that CloudWatch would refuse
 */
export function createGateAlarm(
  scope: Construct,
  name: string,
  gate: QualityGate,
  options: GateAlarmOptions,
): GateAlarm {
  if (!/^[A-Za-z][A-Za-z0-9]{0,63}$/.test(name)) {
    throw laneError(
      scope,
      'InvalidGateName',
      `gate '${name}': expected a name of 1 to 64 letters and digits that starts with a letter, like 'errorRate'`,
    );
  }
  const config = gate._bind(scope, options.context);
  const description = `${options.describe(config)}: ${config.description}`;
  if (description.length > MAX_ALARM_DESCRIPTION) {
    throw laneError(
      scope,
      'InvalidGateDescription',
      `gate '${name}': the alarm description must have at most ${MAX_ALARM_DESCRIPTION} characters, got ${description.length}; put the runbook behind a link`,
    );
  }
  const { metric, comparisonOperator, threshold, evaluationPeriods, datapointsToAlarm, severity, minSamples } = config;
  const alarm = createAlarm(scope, name, {
    metric,
    comparisonOperator,
    threshold,
    evaluationPeriods,
    datapointsToAlarm,
    description,
    alarmAction: options.alarmAction,
  });
  return { alarm, critical: severity === GateSeverity.CRITICAL, minSamples: minSamples ?? 0 };
}
