import type { Alarm, AlarmBase, IAlarmAction } from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { AgentLane } from '../lanes/lane-queues';
import { TaskMetricSet } from '../metrics';
import { createGateAlarm } from './gate-alarms';
import { GateSeverity } from './gate-options';
import type { GateContext, QualityGate } from './quality-gate';

/** Construct props of {@link QualityGates}. */
export interface QualityGatesProps {
  /** Name of the agent, and value of the metric dimension `Agent`. */
  readonly agentName: string;
  /** Release whose metrics are judged. */
  readonly releaseId: string;
  /** Gates by name. The name becomes part of the alarm's logical id: 1 to 64 letters and digits, a letter first. */
  readonly gates: { readonly [name: string]: QualityGate };
  /**
   * Notified about every breach.
   *
   * @default - no alarm action
   */
  readonly alarmAction?: IAlarmAction;
}

/** The gates of an agent as alarms on the metrics of the release that the template names. */
export class QualityGates extends Construct {
  /** Alarms that stop a shift. */
  readonly critical: Alarm[] = [];
  /** Alarms that only notify. */
  readonly warning: Alarm[] = [];
  private largestMinSamples = 0;
  private readonly agentName: string;
  private readonly context: GateContext;
  private readonly alarmAction: IAlarmAction | undefined;
  private readonly listeners: ((alarm: Alarm, critical: boolean) => void)[] = [];

  constructor(scope: Construct, id: string, props: QualityGatesProps) {
    super(scope, id);
    this.agentName = props.agentName;
    this.alarmAction = props.alarmAction;
    this.context = {
      agentName: props.agentName,
      candidate: TaskMetricSet.ofRelease(props.agentName, props.releaseId),
      stable: TaskMetricSet.ofLane(props.agentName, AgentLane.STABLE),
    };
    for (const [name, gate] of Object.entries(props.gates)) {
      this.addGate(name, gate);
    }
  }

  /**
   * Adds a gate.
   *
   * @param name becomes part of the alarm's logical id: 1 to 64 letters and digits, a letter first
   */
  addGate(name: string, gate: QualityGate): Alarm {
    const { alarm, critical, minSamples } = createGateAlarm(this, name, gate, {
      context: this.context,
      alarmAction: this.alarmAction,
      describe: ({ severity }) =>
        `Gate '${name}' of agent '${this.agentName}' (${severity === GateSeverity.CRITICAL ? 'critical, rolls the release back' : 'warning, does not stop the rollout'})`,
    });
    (critical ? this.critical : this.warning).push(alarm);
    if (critical) {
      this.largestMinSamples = Math.max(this.largestMinSamples, minSamples);
    }
    for (const listener of this.listeners) {
      listener(alarm, critical);
    }
    return alarm;
  }

  /** Samples below which at least one critical gate is neutral; 0 without critical gates. */
  get minSamples(): number {
    return this.largestMinSamples;
  }

  /** All alarms, critical ones first. */
  get alarms(): AlarmBase[] {
    return [...this.critical, ...this.warning];
  }

  /** Calls the listener for every gate that is added from now on. @internal */
  _onAdded(listener: (alarm: Alarm, critical: boolean) => void): void {
    this.listeners.push(listener);
  }
}
