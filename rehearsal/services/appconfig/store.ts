import { REHEARSAL_ACCOUNT, REHEARSAL_REGION } from '../../core/resource';
import type { DeploymentStrategy, EnvironmentMonitor } from './model';

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

/** What callers in one environment get of one profile. */
export interface ServedConfiguration {
  /** Deployed to its end; undefined before the first one. */
  complete: string | undefined;
  /** Under way: the version, and the share of the callers that get it. */
  growing: { readonly content: string; readonly percent: number } | undefined;
}

/** Applications, environments, profiles, strategies, and what is served of them. */
export class AppConfigStore {
  readonly applications = new Set<string>();
  readonly environments = new Map<string, AppConfigEnvironment>();
  readonly profiles = new Map<string, ConfigurationProfile>();
  readonly strategies = new Map<string, DeploymentStrategy>();
  readonly #serving = new Map<string, ServedConfiguration>();

  served(environment: string, profile: string): ServedConfiguration {
    const key = `${environment}/${profile}`;
    const known = this.#serving.get(key) ?? { complete: undefined, growing: undefined };
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
