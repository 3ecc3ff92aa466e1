import { randomBytes } from 'node:crypto';
import { REHEARSAL_ACCOUNT, REHEARSAL_REGION } from '../../core/resource';

export interface EnvironmentMonitor {
  readonly alarmArn: string;
  readonly roleArn: string | undefined;
}

export interface DeploymentStrategy {
  readonly durationMs: number;
  readonly bakeMs: number;
  /** Percent of the callers that each step adds. */
  readonly growthFactor: number;
  readonly growthType: 'LINEAR' | 'EXPONENTIAL';
}

export type DeploymentState = 'DEPLOYING' | 'BAKING' | 'COMPLETE' | 'ROLLED_BACK';

/** A deployment of a configuration, as a drill sees it. Times are cloud milliseconds since 1970. */
export interface ConfigurationDeploymentView {
  readonly application: string;
  readonly environment: string;
  readonly profile: string;
  readonly number: number;
  readonly version: string;
  readonly content: string;
  readonly state: DeploymentState;
  readonly startedAt: number;
  /** When it was complete, or rolled back. */
  readonly endedAt?: number;
  /** Share of the callers that get it, over time: 0 to 100. */
  readonly shares: readonly { readonly at: number; readonly percent: number }[];
  /** Why it was rolled back. */
  readonly reason?: string;
}

export interface DeploymentStep {
  readonly percent: number;
  readonly lastsMs: number;
}

/**
 * The shares of a deployment. The first step comes at its start, the whole time is over before the bake begins.
 * https://docs.aws.amazon.com/appconfig/2019-10-09/APIReference/API_CreateDeploymentStrategy.html
 */
export function stepsOf({ durationMs, growthFactor, growthType }: DeploymentStrategy): readonly DeploymentStep[] {
  const percents: number[] = [];
  for (let n = 0; percents.at(-1) !== 100; n += 1) {
    percents.push(Math.min(100, growthType === 'LINEAR' ? growthFactor * (n + 1) : growthFactor * 2 ** n));
  }
  return percents.map((percent) => ({ percent, lastsMs: durationMs / percents.length }));
}

/** Seven lower-case letters and digits, as AppConfig names everything. */
export function newId(): string {
  return Array.from(randomBytes(7), (byte) => 'abcdefghijklmnopqrstuvwxyz0123456789'[byte % 36]).join('');
}

export interface AppConfigEnvironment {
  readonly application: string;
  monitors: readonly EnvironmentMonitor[];
}

export interface ConfigurationProfile {
  readonly application: string;
  /** JSON schemas that a configuration must fit. */
  validators: readonly string[];
  readonly versions: Map<string, string>;
}

/** Configuration that callers in one environment get for one profile. */
export interface ServedConfiguration {
  /** Completely deployed; undefined before the first deployment. */
  complete: string | undefined;
  /** Deployment in progress: the content, and the share of the callers that get it. */
  inProgress: { readonly content: string; readonly percent: number } | undefined;
}

/** Applications, environments, profiles and strategies, and the configurations that are served. */
export class AppConfigStore {
  readonly applications = new Set<string>();
  readonly environments = new Map<string, AppConfigEnvironment>();
  readonly profiles = new Map<string, ConfigurationProfile>();
  readonly strategies = new Map<string, DeploymentStrategy>();
  readonly #serving = new Map<string, ServedConfiguration>();

  served(environment: string, profile: string): ServedConfiguration {
    const key = `${environment}/${profile}`;
    const known = this.#serving.get(key) ?? { complete: undefined, inProgress: undefined };
    this.#serving.set(key, known);
    return known;
  }

  deleteEnvironment(environment: string): void {
    this.environments.delete(environment);
    for (const key of this.#serving.keys()) {
      if (key.startsWith(`${environment}/`)) {
        this.#serving.delete(key);
      }
    }
  }
}

/** https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsappconfig.html */
export function configurationArn(application: string, environment: string, profile: string): string {
  return `arn:aws:appconfig:${REHEARSAL_REGION}:${REHEARSAL_ACCOUNT}:application/${application}/environment/${environment}/configuration/${profile}`;
}
