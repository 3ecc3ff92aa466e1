export type AlarmState = 'OK' | 'ALARM' | 'INSUFFICIENT_DATA';
export type MissingData = 'missing' | 'ignore' | 'breaching' | 'notBreaching';

export interface AlarmRule {
  /** N: periods that are evaluated. */
  readonly evaluationPeriods: number;
  /** M: number of them that must breach. */
  readonly datapointsToAlarm: number;
  readonly treatMissingData: MissingData;
}

/**
 * Data points that CloudWatch fetches to find N existing ones. AWS documents that it fetches more than N and shows 5
 * for N = 3, but not the formula.
 */
export function evaluationRange(evaluationPeriods: number): number {
  return evaluationPeriods + 2;
}

/**
 * Evaluates the evaluation range (oldest first; undefined: no data point). Returns `retain` for "keep the state".
 *
 * N or more existing data points: the most recent N of them decide and missing ones do not matter. Fewer: the missing
 * ones are filled in as few times as possible. When missing is treated as missing, an alarm goes to ALARM although M is
 * not reached, if the oldest breaching data point is at least M periods old and nothing since was within the threshold.
 * Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
 */
export function evaluateState(rule: AlarmRule, breaching: readonly (boolean | undefined)[]): AlarmState | 'retain' {
  const { evaluationPeriods: n, datapointsToAlarm: m } = rule;
  const existing = breaching.filter((value) => value !== undefined);
  const evaluated = existing.slice(-n);
  const breaches = evaluated.filter((value) => value).length;
  if (breaches >= m) {
    return 'ALARM';
  }
  if (existing.length >= n) {
    return 'OK';
  }
  const withinThreshold = evaluated.length - breaches;
  switch (rule.treatMissingData) {
    case 'notBreaching':
      return 'OK';
    case 'breaching':
      return breaches + (n - evaluated.length) >= m ? 'ALARM' : 'OK';
    case 'ignore':
      return withinThreshold > 0 ? 'OK' : 'retain';
    case 'missing': {
      if (withinThreshold > 0) {
        return 'OK';
      }
      const oldest = breaching.indexOf(true);
      return oldest >= 0 && breaching.length - oldest >= m ? 'ALARM' : 'INSUFFICIENT_DATA';
    }
  }
}
