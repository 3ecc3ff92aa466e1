import { Duration } from 'aws-cdk-lib';
import {
  Alarm,
  ComparisonOperator,
  type IAlarmAction,
  Metric,
  Stats,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { BudgetMetric, Dimension, METRIC_NAMESPACE } from '../contract';

const WARN_AT_PERCENT = 80;

export interface BudgetAlarmProps {
  readonly agentName: string;
  /** Told once, when the budget is nearly used up. */
  readonly action: IAlarmAction;
}

/** Fires when four fifths of what an agent may cost on a day are spent. */
export class BudgetAlarm extends Construct {
  readonly alarm: Alarm;

  constructor(scope: Construct, id: string, { agentName, action }: BudgetAlarmProps) {
    super(scope, id);
    this.alarm = new Alarm(this, 'Resource', {
      metric: new Metric({
        namespace: METRIC_NAMESPACE,
        metricName: BudgetMetric.AGENT_USED,
        dimensionsMap: { [Dimension.AGENT]: agentName },
        statistic: Stats.MAXIMUM,
        period: Duration.minutes(1),
      }),
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      threshold: WARN_AT_PERCENT,
      evaluationPeriods: 1,
      // Measured when a task ends. While none does, nothing is spent either: the alarm stays as it is, also over night.
      treatMissingData: TreatMissingData.IGNORE,
      alarmDescription: `Agent '${agentName}': ${WARN_AT_PERCENT} % of its budget for today are spent. When all is, its tasks wait for the next day. See docs/limits.md.`,
    });
    this.alarm.addAlarmAction(action);
  }
}
