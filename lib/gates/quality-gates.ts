import { Alarm, type AlarmBase, type IAlarmAction, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { laneError } from '../common/errors';
import { LaneName } from '../lanes/lane-name';
import { TaskMetrics } from '../metrics';
import type { QualityGate } from './quality-gate';
import { GateSeverity } from './severity';

export interface QualityGatesProps {
  readonly agentName: string;
  /** Release whose metrics are judged. */
  readonly releaseId: string;
  /** Gates by name. The name becomes part of the alarm's logical id: letters and digits, a letter first. */
  readonly gates: { readonly [name: string]: QualityGate };
  /**
   * Told about every breach.
   *
   * @default - nobody
   */
  readonly alarmAction?: IAlarmAction;
}

/** CloudWatch allows as many characters in an alarm's description. */
const MAX_DESCRIPTION = 1024;

/** The gates of an agent as alarms on the metrics of the release that the template names. */
export class QualityGates extends Construct {
  /** Alarms that end a shift. */
  readonly critical: Alarm[] = [];
  /** Alarms that only notify. */
  readonly warning: Alarm[] = [];
  /** Samples below which at least one critical gate is neutral; 0 without such gates. */
  readonly minSamples: number;

  constructor(scope: Construct, id: string, props: QualityGatesProps) {
    super(scope, id);
    const candidate = TaskMetrics.ofRelease(props.agentName, props.releaseId);
    const stable = TaskMetrics.ofLane(props.agentName, LaneName.STABLE);
    let minSamples = 0;
    for (const [name, gate] of Object.entries(props.gates)) {
      if (!/^[A-Za-z][A-Za-z0-9]{0,63}$/.test(name)) {
        throw laneError(
          this,
          'InvalidGateName',
          `gate '${name}': expected a name of 1 to 64 letters and digits that starts with a letter, like 'errorRate'`,
        );
      }
      const config = gate.bind(this, { agentName: props.agentName, candidate, stable });
      const consequence =
        config.severity === GateSeverity.CRITICAL ? 'critical, takes the rollout back' : 'warning, stops nothing';
      const description = `Gate '${name}' of agent '${props.agentName}' (${consequence}): ${config.description}`;
      if (description.length > MAX_DESCRIPTION) {
        throw laneError(
          this,
          'InvalidGateDescription',
          `gate '${name}': its description has ${description.length} characters, expected at most ` +
            `${MAX_DESCRIPTION}; put the runbook behind a link`,
        );
      }
      const alarm = new Alarm(this, name, {
        metric: config.metric,
        comparisonOperator: config.comparisonOperator,
        threshold: config.threshold,
        evaluationPeriods: config.evaluationPeriods,
        datapointsToAlarm: config.datapointsToAlarm,
        treatMissingData: TreatMissingData.NOT_BREACHING,
        alarmDescription: description,
      });
      if (props.alarmAction !== undefined) {
        alarm.addAlarmAction(props.alarmAction);
      }
      if (config.severity === GateSeverity.CRITICAL) {
        this.critical.push(alarm);
        minSamples = Math.max(minSamples, config.minSamples ?? 0);
      } else {
        this.warning.push(alarm);
      }
    }
    this.minSamples = minSamples;
  }

  /** All alarms, critical ones first. */
  get alarms(): AlarmBase[] {
    return [...this.critical, ...this.warning];
  }
}
