import type { CloudEvent, RehearsalCloud } from '../../cloud';
import type { GateReading } from '../report/history';
import type { Progress } from '../report/progress';
import { describeGate, type Gate, readGates } from './gates';

/** Logs the events of the cloud, and records the gate readings at the decision of a deployment. */
export class CloudWatcher {
  #subject = '';
  #gates: readonly Gate[] = [];
  #readings: readonly GateReading[] | undefined;
  #cloud: RehearsalCloud | undefined;
  #detached = false;

  readonly #progress: Progress;
  readonly #keep: (event: CloudEvent) => void;

  constructor(
    progress: Progress,
    /** Receives every event, for `--keep`. */
    keep: (event: CloudEvent) => void,
  ) {
    this.#progress = progress;
    this.#keep = keep;
  }

  attach(cloud: RehearsalCloud): void {
    this.#cloud = cloud;
  }

  /** Ignores events from now on: those of a cloud that is being stopped do not matter. */
  detach(): void {
    this.#detached = true;
  }

  /** Assigns later events to this release. */
  begin(subject: string, gates: readonly Gate[]): void {
    this.#subject = subject;
    this.#gates = gates;
    this.#readings = undefined;
  }

  /** Gate readings at the decision of the deployment, or the current ones before it. */
  readingsAtDecision(): readonly GateReading[] {
    return this.#readings ?? this.#read();
  }

  readonly onEvent = (event: CloudEvent): void => {
    if (this.#detached) {
      return;
    }
    this.#keep(event);
    switch (event.kind) {
      case 'codedeploy':
        this.#onCodeDeploy(event);
        break;
      case 'alarm':
        this.#onAlarm(event);
        break;
      case 'stack':
        // The gate or the hook has already been logged as the cause of a failed shift.
        if (event.status.endsWith('_FAILED') && event.type !== 'AWS::Lambda::Alias') {
          this.#progress.log(this.#subject, `${event.path}: ${event.status}: ${event.reason ?? ''}`, 'failure');
        } else if (event.status.includes('ROLLBACK_IN_PROGRESS')) {
          this.#progress.log(this.#subject, 'CloudFormation is rolling back', 'failure');
        }
        break;
      case 'progress':
      case 'notification':
        break;
    }
  };

  #onCodeDeploy(event: Extract<CloudEvent, { kind: 'codedeploy' }>): void {
    switch (event.event) {
      case 'lifecycle':
        // Failures are logged with their reason at the end of the deployment.
        if (/^(Before|After)AllowTraffic: Succeeded/.test(event.message)) {
          const hook = event.message.startsWith('Before') ? 'preflight passed' : 'evidence check passed';
          this.#progress.log(this.#subject, hook, 'success');
        }
        break;
      case 'shift':
        this.#progress.log(
          this.#subject,
          `shift: ${Math.round((event.weight ?? 0) * 100)} % of the users use the candidate`,
        );
        break;
      case 'rollback':
        this.#progress.log(
          this.#subject,
          'CodeDeploy is rolling back: all users return to the stable release',
          'failure',
        );
        break;
      case 'created':
      case 'alarm':
      case 'ended':
        break;
    }
    // The first of these events decides the deployment. Later readings belong to other traffic.
    if (['alarm', 'rollback', 'ended'].includes(event.event) && this.#readings === undefined) {
      this.#readings = this.#read();
    }
  }

  #onAlarm(event: Extract<CloudEvent, { kind: 'alarm' }>): void {
    const gate = this.#gates.find((candidate) => candidate.alarm === event.name);
    if (gate !== undefined && (event.to === 'ALARM' || event.from === 'ALARM')) {
      const reading = this.#read().find(({ name }) => name === gate.name);
      const text =
        reading === undefined ? `gate ${gate.name} in ${event.to}` : describeGate({ ...reading, state: event.to });
      this.#progress.log(this.#subject, text, event.to === 'ALARM' ? 'failure' : 'success');
    } else if (gate === undefined && event.to === 'ALARM') {
      this.#progress.log(this.#subject, `alarm ${event.name}: ${event.reason}`, 'failure');
    }
  }

  #read(): readonly GateReading[] {
    return this.#cloud === undefined ? [] : readGates(this.#gates, this.#cloud.alarms());
  }
}
