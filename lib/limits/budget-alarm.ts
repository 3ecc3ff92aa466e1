import { Duration } from 'aws-cdk-lib';
import {
  type Alarm,
  ComparisonOperator,
  type IAlarmAction,
  Metric,
  Stats,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { createAlarm } from '../common';
import { BUDGET_WARN_PERCENT, BudgetMetric, Dimension, METRIC_NAMESPACE } from '../contract';

/** Owner of the daily budget that an alarm watches. */
export enum BudgetOwner {
  /** The agent as a whole. */
  AGENT = 'agent',
  /** Each user. */
  USER = 'user',
}

/** Construct props of {@link BudgetAlarm}. */
export interface BudgetAlarmProps {
  readonly agentName: string;
  readonly owner: BudgetOwner;
  /** Notified once, when 80 % of the budget are spent. */
  readonly alarmAction: IAlarmAction;
}

interface WatchedBudget {
  readonly metricName: string;
  readonly period: Duration;
  readonly treatMissingData: TreatMissingData;
  readonly description: string;
}

const WATCHED_BUDGETS: Readonly<Record<BudgetOwner, WatchedBudget>> = {
  [BudgetOwner.AGENT]: {
    metricName: BudgetMetric.AGENT_USED,
    period: Duration.minutes(1),
    // Measured when a task ends. While no task ends, nothing is spent: the alarm keeps its state, also overnight.
    treatMissingData: TreatMissingData.IGNORE,
    description: `${BUDGET_WARN_PERCENT} % of its budget for today are spent. When all of it is spent, its tasks wait until the next day`,
  },
  [BudgetOwner.USER]: {
    metricName: BudgetMetric.USER_USED,
    // All users share the metric. A period of an hour gives one message about a user over the limit, not one a minute.
    period: Duration.hours(1),
    treatMissingData: TreatMissingData.NOT_BREACHING,
    description: `a user has spent ${BUDGET_WARN_PERCENT} % of the daily budget of a user. When all of it is spent, the tasks of that user wait until the next day. The worker's log names the task (component "budget")`,
  },
};

/** In ALARM when an agent, or one of its users, has spent 80 % of the daily budget. */
export class BudgetAlarm extends Construct {
  readonly alarm: Alarm;

  constructor(scope: Construct, id: string, { agentName, owner, alarmAction }: BudgetAlarmProps) {
    super(scope, id);
    const { metricName, period, treatMissingData, description } = WATCHED_BUDGETS[owner];
    this.alarm = createAlarm(this, 'Resource', {
      metric: new Metric({
        namespace: METRIC_NAMESPACE,
        metricName,
        dimensionsMap: { [Dimension.AGENT]: agentName },
        statistic: Stats.MAXIMUM,
        period,
      }),
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      threshold: BUDGET_WARN_PERCENT,
      treatMissingData,
      description: `Agent '${agentName}': ${description}. See docs/limits.md.`,
      alarmAction,
    });
  }
}
