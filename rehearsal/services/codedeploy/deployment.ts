import type { RehearsalClock, Timer } from '../../core/clock';
import type { IamPort, LambdaPort, MetricsPort } from '../../core/ports';
import type { Principal } from '../../core/principal';
import { scaledTimeout } from '../../core/scaled-timeout';
import {
  type DeploymentEvent,
  DeploymentFailure,
  type DeploymentGroup,
  type DeploymentRequest,
  type DeploymentStatus,
  type DeploymentView,
  type LifecycleName,
  type LifecycleStatus,
} from './model';
import { stepsOf, type TrafficShift } from './traffic-shift';

/** A hook must report within an hour. */
const HOOK_TIMEOUT_MS = 3_600_000;

/** Cloud milliseconds between two polls of the alarms. */
const ALARM_POLL_MS = 10_000;

export interface DeploymentDeps {
  readonly clock: RehearsalClock;
  readonly lambda: LambdaPort;
  readonly metrics: MetricsPort;
  readonly iam: IamPort;
  readonly onEvent: (event: DeploymentEvent) => void;
}

interface Lifecycle {
  readonly name: LifecycleName;
  readonly hook: string | undefined;
  status: LifecycleStatus;
  startedAt?: number;
  endedAt?: number;
  message?: string;
  executionId?: string;
  settle?: (status: 'Succeeded' | 'Failed') => void;
}

/**
 * One deployment of an alias: check of the alarms, BeforeAllowTraffic, traffic shift, AfterAllowTraffic.
 *
 * Life cycle: Created → InProgress → Succeeded | Failed | Stopped. The group's alarms are polled during the whole
 * deployment; one in ALARM stops it at once. A failed deployment first rolls the alias back, if the group's automatic
 * rollback covers the cause, and is then reported as failed.
 * During the shift the alias keeps its old version and names the new one in its weights; at the end the new one alone.
 *
 * Sources: https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-hooks.html,
 * https://docs.aws.amazon.com/codedeploy/latest/userguide/deployments-rollback-and-redeploy.html
 */
export class Deployment {
  readonly #request: DeploymentRequest;
  readonly #shift: TrafficShift;
  readonly #ports: DeploymentDeps;
  #status: DeploymentStatus = 'Created';
  readonly #createdAt: number;
  #endedAt: number | undefined;
  #failure: DeploymentFailure | undefined;
  #rolledBackAt: number | undefined;
  readonly #shifts: { at: number; weight: number }[] = [];
  readonly #lifecycle: Lifecycle[];
  readonly #abort = new AbortController();
  readonly #principal: Principal;

  constructor(
    readonly id: string,
    readonly group: DeploymentGroup,
    request: DeploymentRequest,
    shift: TrafficShift,
    ports: DeploymentDeps,
  ) {
    this.#request = request;
    this.#shift = shift;
    this.#ports = ports;
    this.#createdAt = ports.clock.now();
    this.#lifecycle = [
      { name: 'BeforeAllowTraffic', hook: request.beforeHook, status: 'Pending' },
      { name: 'AllowTraffic', hook: undefined, status: 'Pending' },
      { name: 'AfterAllowTraffic', hook: request.afterHook, status: 'Pending' },
    ];
    this.#principal = { kind: 'role', arn: group.serviceRoleArn, label: `codedeploy ${group.name}` };
  }

  /** Resolves when the deployment has succeeded. @throws DeploymentFailure after the rollback, if there is one */
  async run(): Promise<void> {
    this.#emit('created', `deployment ${this.id}: version ${this.#request.fromVersion} → ${this.#request.toVersion}`);
    this.#status = 'InProgress';
    let polling: Timer | undefined;
    const { timeoutMs } = this.#request;
    const timeout =
      timeoutMs === undefined
        ? undefined
        : this.#ports.clock.after(timeoutMs, () =>
            this.#abort.abort(new DeploymentFailure('TIMEOUT', `not finished after ${timeoutMs / 60_000} minutes`)),
          );
    const poll = () => {
      polling = this.#ports.clock.after(ALARM_POLL_MS, () => {
        try {
          this.#checkAlarms();
        } catch (error) {
          this.#abort.abort(asFailure(error));
          return;
        }
        if (this.#status === 'InProgress') {
          poll();
        }
      });
    };
    try {
      this.#assumeRole();
      this.#checkAlarms();
      poll();
      await this.#runHook('BeforeAllowTraffic');
      await this.#shiftTraffic();
      await this.#runHook('AfterAllowTraffic');
      this.#checkAlarms();
      this.#end('Succeeded');
      this.#emit('ended', `deployment ${this.id} succeeded`);
    } catch (error) {
      const failure = asFailure(error);
      this.#failure = failure;
      for (const step of this.#lifecycle) {
        if (step.status === 'InProgress') {
          this.#finish(step, 'Failed', failure.message);
        } else if (step.status === 'Pending') {
          step.status = 'Skipped';
        }
      }
      if (failure.alarms.length > 0) {
        this.#emit('alarm', failure.message);
      }
      this.#rollBack(failure);
      this.#end(failure.code === 'MANUAL_STOP' ? 'Stopped' : 'Failed');
      this.#emit('ended', `deployment ${this.id} failed: ${failure.message}`);
      throw failure;
    } finally {
      polling?.cancel();
      timeout?.cancel();
    }
  }

  /** Stops the deployment, as StopDeployment does. No effect after its end. */
  stop(reason: DeploymentFailure): void {
    this.#abort.abort(reason);
  }

  /** What a hook reported. @returns false when no hook waits under this id */
  report(executionId: string, status: 'Succeeded' | 'Failed'): 'accepted' | 'completed' | 'unknown' {
    const step = this.#lifecycle.find((candidate) => candidate.executionId === executionId);
    if (step === undefined) {
      return 'unknown';
    }
    if (step.status !== 'InProgress' || step.settle === undefined) {
      return 'completed';
    }
    step.settle(status);
    return 'accepted';
  }

  view(): DeploymentView {
    return {
      id: this.id,
      application: this.#request.application,
      group: this.#request.group,
      functionName: this.#request.functionName,
      alias: this.#request.alias,
      fromVersion: this.#request.fromVersion,
      toVersion: this.#request.toVersion,
      status: this.#status,
      createdAt: this.#createdAt,
      endedAt: this.#endedAt,
      ...(this.#failure === undefined ? {} : { reason: this.#failure.message }),
      alarms: this.#failure?.alarms ?? [],
      lifecycle: this.#lifecycle.map(({ name, status, startedAt, endedAt, message }) => ({
        name,
        status,
        startedAt,
        endedAt,
        message,
      })),
      shifts: [...this.#shifts],
      rolledBackAt: this.#rolledBackAt,
    };
  }

  failureCode(): DeploymentFailure['code'] | undefined {
    return this.#failure?.code;
  }

  async #runHook(name: LifecycleName): Promise<void> {
    const step = this.#step(name);
    const { hook } = step;
    this.#abort.signal.throwIfAborted();
    if (hook === undefined) {
      step.status = 'Succeeded';
      return;
    }
    this.#begin(step, `${name}: ${hook}`);
    this.#require('lambda:InvokeFunction', this.#functionArn(hook));
    const executionId = `${this.id}:${name}`;
    step.executionId = Buffer.from(executionId).toString('base64url');
    const reported = new Promise<'Succeeded' | 'Failed'>((resolve) => {
      step.settle = resolve;
    });
    const done = new AbortController();
    const signal = AbortSignal.any([this.#abort.signal, done.signal]);
    const timeout = this.#ports.clock
      .sleep(scaledTimeout(this.#ports.clock, HOOK_TIMEOUT_MS), signal)
      .then(() =>
        Promise.reject(new DeploymentFailure('TIMEOUT', `hook ${hook} of ${name} did not report within 1 h`)),
      );
    try {
      const invoked = this.#ports.lambda
        .invoke({
          function: hook,
          payload: JSON.stringify({ DeploymentId: this.id, LifecycleEventHookExecutionId: step.executionId }),
          type: 'Event',
        })
        .then((result) => {
          if (result.status >= 300) {
            throw new DeploymentFailure(
              'HOOK_FAILED',
              `hook ${hook} of ${name} could not be invoked: ${result.payload}`,
            );
          }
          return reported;
        });
      const status = await Promise.race([invoked, timeout]);
      if (status === 'Failed') {
        throw new DeploymentFailure('HOOK_FAILED', `hook ${hook} of ${name} reported Failed`);
      }
      this.#finish(step, 'Succeeded');
    } finally {
      done.abort(new Error('the hook has ended'));
      timeout.catch(() => undefined);
    }
  }

  async #shiftTraffic(): Promise<void> {
    const step = this.#step('AllowTraffic');
    this.#abort.signal.throwIfAborted();
    this.#begin(step, `AllowTraffic: ${this.#shift.kind}`);
    for (const { weight, bakeMs } of stepsOf(this.#shift)) {
      this.#moveTo(weight);
      if (bakeMs > 0) {
        await this.#ports.clock.sleep(bakeMs, this.#abort.signal);
      }
    }
    this.#finish(step, 'Succeeded');
  }

  #moveTo(weight: number): void {
    const { functionName, alias, fromVersion, toVersion } = this.#request;
    this.#require('lambda:GetAlias', this.#functionArn(functionName));
    this.#require('lambda:UpdateAlias', this.#functionArn(functionName));
    this.#ports.lambda.putAlias(
      weight === 1
        ? { functionName, name: alias, version: toVersion, weights: {} }
        : { functionName, name: alias, version: fromVersion, weights: { [toVersion]: weight } },
    );
    this.#shifts.push({ at: this.#ports.clock.now(), weight });
    this.#emit('shift', `${percentText(weight)} of ${functionName}:${alias} on version ${toVersion}`, weight);
  }

  #rollBack(failure: DeploymentFailure): void {
    const event =
      failure.code === 'ALARM_ACTIVE'
        ? 'DEPLOYMENT_STOP_ON_ALARM'
        : failure.code === 'MANUAL_STOP'
          ? 'DEPLOYMENT_STOP_ON_REQUEST'
          : 'DEPLOYMENT_FAILURE';
    if (this.#shifts.length === 0 || !this.group.autoRollback.includes(event)) {
      return;
    }
    const { functionName, alias, fromVersion } = this.#request;
    this.#ports.lambda.putAlias({ functionName, name: alias, version: fromVersion, weights: {} });
    this.#rolledBackAt = this.#ports.clock.now();
    this.#shifts.push({ at: this.#rolledBackAt, weight: 0 });
    this.#emit('rollback', `${functionName}:${alias} rolled back to version ${fromVersion}`, 0);
  }

  /** The role's trust policy must allow CodeDeploy to assume it. */
  #assumeRole(): void {
    try {
      this.#ports.iam.sessionFor(this.group.serviceRoleArn, this.#principal.label, 'codedeploy.amazonaws.com');
    } catch (error) {
      throw new DeploymentFailure('PERMISSION_DENIED', error instanceof Error ? error.message : String(error));
    }
  }

  #checkAlarms(): void {
    if (this.group.alarms.length === 0) {
      return;
    }
    try {
      this.#require('cloudwatch:DescribeAlarms', '*');
      const active: string[] = [];
      for (const name of this.group.alarms) {
        const alarm = this.#ports.metrics.alarm(name);
        if (alarm === undefined) {
          throw new DeploymentFailure(
            'INTERNAL_ERROR',
            `alarm ${name} of deployment group ${this.group.name} does not exist`,
          );
        }
        if (alarm.state === 'ALARM') {
          active.push(alarm.name);
        }
      }
      if (active.length > 0) {
        const reasons = active.map((name) => `${name} (${this.#ports.metrics.alarm(name)?.reason ?? ''})`);
        throw new DeploymentFailure('ALARM_ACTIVE', `in ALARM: ${reasons.join('; ')}`, active);
      }
    } catch (error) {
      if (
        !(error instanceof DeploymentFailure) ||
        error.code === 'ALARM_ACTIVE' ||
        !this.group.ignorePollAlarmFailure
      ) {
        throw error;
      }
    }
  }

  #require(action: string, resource: string): void {
    const decision = this.#ports.iam.decide(this.#principal, { action, resource });
    if (!decision.allowed) {
      throw new DeploymentFailure(
        'PERMISSION_DENIED',
        `the service role ${this.group.serviceRoleArn} may not ${action} on ${resource}: ${decision.reason}`,
      );
    }
  }

  #functionArn(nameOrArn: string): string {
    return nameOrArn.startsWith('arn:')
      ? nameOrArn
      : this.group.arn.replace(/:codedeploy:([^:]*):([^:]*):.*$/, `:lambda:$1:$2:function:${nameOrArn}`);
  }

  #step(name: LifecycleName): Lifecycle {
    const step = this.#lifecycle.find((candidate) => candidate.name === name);
    if (step === undefined) {
      throw new Error(`deployment ${this.id} has no lifecycle event ${name}`);
    }
    return step;
  }

  #begin(step: Lifecycle, message: string): void {
    step.status = 'InProgress';
    step.startedAt = this.#ports.clock.now();
    this.#emit('lifecycle', `${message} began`);
  }

  #finish(step: Lifecycle, status: 'Succeeded' | 'Failed', message?: string): void {
    step.status = status;
    step.endedAt = this.#ports.clock.now();
    if (message !== undefined) {
      step.message = message;
    }
    this.#emit('lifecycle', `${step.name}: ${status}${message === undefined ? '' : ` (${message})`}`);
  }

  #end(status: DeploymentStatus): void {
    this.#status = status;
    this.#endedAt = this.#ports.clock.now();
  }

  #emit(event: DeploymentEvent['event'], message: string, weight?: number): void {
    this.#request.report(message);
    this.#ports.onEvent({
      at: this.#ports.clock.now(),
      deploymentId: this.id,
      group: this.group.name,
      event,
      message,
      weight,
    });
  }
}

function asFailure(error: unknown): DeploymentFailure {
  return error instanceof DeploymentFailure
    ? error
    : new DeploymentFailure('INTERNAL_ERROR', error instanceof Error ? error.message : String(error));
}

function percentText(weight: number): string {
  return `${Number((weight * 100).toFixed(2))} %`;
}
