import {
  Alarm,
  type ComparisonOperator,
  type IAlarmAction,
  type IMetric,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import type { Construct } from 'constructs';

/** What an alarm of the library must say. */
export interface AlarmDefinition {
  readonly metric: IMetric;
  readonly comparisonOperator: ComparisonOperator;
  readonly threshold: number;
  /** Periods that CloudWatch evaluates together. @default 1 */
  readonly evaluationPeriods?: number;
  /** Of these, the periods that must breach. @default - all of them */
  readonly datapointsToAlarm?: number;
  /** What a period without data means. @default TreatMissingData.NOT_BREACHING */
  readonly treatMissingData?: TreatMissingData;
  /** What happened, and what the operator does about it. At most 1,024 characters, a limit of CloudWatch. */
  readonly description: string;
  /** Notified when the alarm goes into ALARM. @default - no alarm action */
  readonly alarmAction?: IAlarmAction;
}

/** Limit of CloudWatch: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html */
export const MAX_ALARM_DESCRIPTION = 1024;

/** Creates every alarm of the library, so that none leaves open how it treats missing data and what to do. */
export function createAlarm(scope: Construct, id: string, definition: AlarmDefinition): Alarm {
  const { description, alarmAction, evaluationPeriods = 1, treatMissingData, ...given } = definition;
  const alarm = new Alarm(scope, id, {
    ...given,
    evaluationPeriods,
    treatMissingData: treatMissingData ?? TreatMissingData.NOT_BREACHING,
    alarmDescription: description,
  });
  if (alarmAction !== undefined) {
    alarm.addAlarmAction(alarmAction);
  }
  return alarm;
}
