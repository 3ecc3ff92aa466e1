import type { Duration } from 'aws-cdk-lib';
import type { GateSeverity } from './severity';

/** What every gate can be told. */
export interface AlarmGateOptions {
  /**
   * What a breach does.
   *
   * @default GateSeverity.CRITICAL
   */
  readonly severity?: GateSeverity;

  /**
   * Periods that are looked at together.
   *
   * @default 3
   */
  readonly evaluationPeriods?: number;

  /**
   * Of these, periods that must breach. The metrics are taken from the logs and come late, so that the latest period
   * is often incomplete: more than one is prudent with periods of a minute.
   *
   * @default 2, or the evaluation periods if there is only one
   */
  readonly datapointsToAlarm?: number;

  /**
   * What a person should do when the gate fires, or where that is written. Becomes part of the alarm's description.
   *
   * @default - a hint that suits the gate
   */
  readonly runbook?: string;
}

/** What a gate on the task metrics can be told. */
export interface GateOptions extends AlarmGateOptions {
  /**
   * Tasks that a period must hold before it is judged; a period with fewer is neutral. Relative gates ask as many of
   * the stable lane. Few samples make a gate fire by chance: a rule "20 % worse" takes back an equal release in about
   * one of six looks at 20 tasks if costs vary much.
   *
   * @default 20
   */
  readonly minSamples?: number;

  /**
   * Length of one period: whole minutes. CloudWatch looks every minute at the latest periods; one period as long as
   * the canary judges all that was seen of it so far, and suits agents with few tasks.
   *
   * @default Duration.minutes(1)
   */
  readonly period?: Duration;
}
