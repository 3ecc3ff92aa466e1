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
import { BUDGET_WARN_PERCENT, BudgetMetric, Dimension, METRIC_NAMESPACE } from '../contract';

/** Whose budget for a day an alarm watches. */
export enum BudgetOwner {
  AGENT = 'agent',
  /** Any one user. */
  USER = 'user',
}

export interface BudgetAlarmProps {
  readonly agentName: string;
  readonly owner: BudgetOwner;
  /** Told once, when the budget is nearly used up. */
  readonly alarmAction: IAlarmAction;
}

interface Watching {
  readonly metricName: string;
  readonly period: Duration;
  readonly missing: TreatMissingData;
  readonly says: string;
}

const WATCHING: Readonly<Record<BudgetOwner, Watching>> = {
  [BudgetOwner.AGENT]: {
    metricName: BudgetMetric.AGENT_USED,
    period: Duration.minutes(1),
    // Measured when a task ends. While none does, nothing is spent either: the alarm stays as it is, also over night.
    missing: TreatMissingData.IGNORE,
    says: `${BUDGET_WARN_PERCENT} % of its budget for today are spent. When all is, its tasks wait for the next day`,
  },
  [BudgetOwner.USER]: {
    metricName: BudgetMetric.USER_USED,
    // Users take turns in the metric. An hour makes one message of a user who spends on and on, and not one a minute.
    period: Duration.hours(1),
    missing: TreatMissingData.NOT_BREACHING,
    says: `a user has spent ${BUDGET_WARN_PERCENT} % of what one may spend a day. When all is, the tasks of that user wait for the next day. The worker's log names the task (component "budget")`,
  },
};

/** Fires when four fifths of what an agent, or any one of its users, may cost on a day are spent. */
export class BudgetAlarm extends Construct {
  readonly alarm: Alarm;

  constructor(scope: Construct, id: string, { agentName, owner, alarmAction: action }: BudgetAlarmProps) {
    super(scope, id);
    const { metricName, period, missing, says } = WATCHING[owner];
    this.alarm = new Alarm(this, 'Resource', {
      metric: new Metric({
        namespace: METRIC_NAMESPACE,
        metricName,
        dimensionsMap: { [Dimension.AGENT]: agentName },
        statistic: Stats.MAXIMUM,
        period,
      }),
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      threshold: BUDGET_WARN_PERCENT,
      evaluationPeriods: 1,
      treatMissingData: missing,
      alarmDescription: `Agent '${agentName}': ${says}. See docs/limits.md.`,
    });
    this.alarm.addAlarmAction(action);
  }
}
