import type { RehearsalClock, Timer } from '../../core/clock';
import type { IamPort, MetricsPort } from '../../core/ports';
import {
  type ConfigurationDeploymentView,
  type DeploymentState,
  type DeploymentStrategy,
  type EnvironmentMonitor,
  type ServedConfiguration,
  stepsOf,
} from './model';

/** Cloud milliseconds between two polls of the alarms. */
const ALARM_POLL_MS = 10_000;

export interface DeploymentDeps {
  readonly clock: RehearsalClock;
  readonly metrics: MetricsPort;
  readonly iam: IamPort;
}

export interface DeploymentRequest {
  readonly application: string;
  readonly environment: string;
  readonly profile: string;
  readonly number: number;
  readonly version: string;
  readonly content: string;
  readonly strategy: DeploymentStrategy;
  readonly monitors: readonly EnvironmentMonitor[];
  readonly served: ServedConfiguration;
  report(message: string): void;
}

/** The deployment was rolled back. */
export class DeploymentRolledBack extends Error {}

/**
 * One deployment of a configuration: it reaches a growing share of the callers, bakes, and is complete. If an alarm of the
 * environment goes to ALARM before that, it is rolled back at once for every caller.
 *
 * Sources: https://docs.aws.amazon.com/appconfig/latest/userguide/appconfig-deploying.html,
 * https://docs.aws.amazon.com/appconfig/latest/userguide/monitoring-deployments.html
 */
export class ConfigurationDeployment {
  readonly #request: DeploymentRequest;
  readonly #ports: DeploymentDeps;
  #state: DeploymentState = 'DEPLOYING';
  readonly #startedAt: number;
  #endedAt: number | undefined;
  #reason: string | undefined;
  readonly #shares: { at: number; percent: number }[] = [];
  readonly #abort = new AbortController();
  #polling: Timer | undefined;

  constructor(request: DeploymentRequest, ports: DeploymentDeps) {
    this.#request = request;
    this.#ports = ports;
    this.#startedAt = ports.clock.now();
  }

  get view(): ConfigurationDeploymentView {
    const { application, environment, profile, number, version, content } = this.#request;
    return {
      application,
      environment,
      profile,
      number,
      version,
      content,
      state: this.#state,
      startedAt: this.#startedAt,
      shares: [...this.#shares],
      endedAt: this.#endedAt,
      reason: this.#reason,
    };
  }

  /** Resolves when the deployment is complete. @throws RolledBack */
  async run(): Promise<void> {
    const request = this.#request;
    const ports = this.#ports;
    const { strategy, served, content } = request;
    const { signal } = this.#abort;
    try {
      this.#pollAlarms();
      for (const { percent, lastsMs } of stepsOf(strategy)) {
        signal.throwIfAborted();
        served.inProgress = { content, percent };
        this.#shares.push({ at: ports.clock.now(), percent });
        request.report(`${percent} % of the callers get version ${request.version}`);
        await ports.clock.sleep(lastsMs, signal);
      }
      this.#state = 'BAKING';
      request.report('baking');
      await ports.clock.sleep(strategy.bakeMs, signal);
      signal.throwIfAborted();
      served.complete = content;
      served.inProgress = undefined;
      this.#end('COMPLETE');
    } catch (error) {
      served.inProgress = undefined;
      this.#shares.push({ at: ports.clock.now(), percent: 0 });
      this.#reason = error instanceof Error ? error.message : String(error);
      this.#end('ROLLED_BACK');
      request.report(`rolled back: ${this.#reason}`);
      throw new DeploymentRolledBack(this.#reason);
    }
  }

  /** Rolls the deployment back, unless it is complete. */
  stop(reason: string): void {
    this.#abort.abort(new Error(reason));
  }

  /** Polls the alarms until the deployment has ended. */
  #pollAlarms(): void {
    const alarm = this.#request.monitors.map((monitor) => this.#stopReason(monitor)).find((one) => one !== undefined);
    if (alarm !== undefined) {
      this.stop(alarm);
      return;
    }
    this.#polling = this.#ports.clock.after(ALARM_POLL_MS, () => {
      if (this.#endedAt === undefined) {
        this.#pollAlarms();
      }
    });
  }

  #stopReason({ alarmArn, roleArn }: EnvironmentMonitor): string | undefined {
    const { iam, metrics } = this.#ports;
    if (roleArn === undefined) {
      return `monitor ${alarmArn} has no role with which AppConfig can read it`;
    }
    try {
      iam.sessionFor(roleArn, 'appconfig', 'appconfig.amazonaws.com');
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
    const principal = { kind: 'role', arn: roleArn, label: 'appconfig' } as const;
    const decision = iam.decide(principal, { action: 'cloudwatch:DescribeAlarms', resource: alarmArn });
    if (!decision.allowed) {
      return decision.reason;
    }
    const alarm = metrics.alarm(alarmArn);
    if (alarm === undefined) {
      return `alarm ${alarmArn} does not exist`;
    }
    return alarm.state === 'ALARM' ? `in ALARM: ${alarm.name} (${alarm.reason})` : undefined;
  }

  #end(state: DeploymentState): void {
    this.#state = state;
    this.#endedAt = this.#ports.clock.now();
    this.#polling?.cancel();
  }
}
