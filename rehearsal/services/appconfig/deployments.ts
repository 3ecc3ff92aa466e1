import { Ajv } from 'ajv';
import { ResourceFailure, type ResourceRequest } from '../../core/resource';
import { ConfigurationDeployment, type DeploymentDeps, DeploymentRolledBack } from './deployment';
import type { AppConfigStore, ConfigurationDeploymentView } from './model';

export interface StartDeploymentRequest {
  readonly application: string;
  readonly environment: string;
  readonly profile: string;
  readonly version: string;
  readonly strategy: string;
}

/** The deployments of all environments; one at a time in each. */
export class Deployments {
  readonly #store: AppConfigStore;
  readonly #ports: DeploymentDeps;
  readonly #all: ConfigurationDeployment[] = [];

  constructor(store: AppConfigStore, ports: DeploymentDeps) {
    this.#store = store;
    this.#ports = ports;
  }

  views(): readonly ConfigurationDeploymentView[] {
    return this.#all.map(({ view }) => view);
  }

  /**
   * Resolves with the number of the deployment when it is complete.
   *
   * @throws ResourceFailure when it cannot begin, or was rolled back
   */
  async run(given: StartDeploymentRequest, request: ResourceRequest): Promise<number> {
    const { application, environment, profile, version } = given;
    const strategy = this.#store.strategies.get(given.strategy);
    const monitors = this.#store.environments.get(environment)?.monitors;
    const content = this.#store.profiles.get(profile)?.versions.get(version);
    if (strategy === undefined || monitors === undefined || content === undefined) {
      throw new ResourceFailure(
        `deployment at ${request.path}: there is no environment ${environment}, strategy ${given.strategy}, or version ${version} of profile ${profile}`,
      );
    }
    this.#validate(profile, content);
    const own = this.views().filter((view) => view.environment === environment);
    if (own.some(({ endedAt }) => endedAt === undefined)) {
      throw new ResourceFailure(`a deployment of environment ${environment} is already in progress`);
    }
    const number = own.length + 1;
    const deployment = new ConfigurationDeployment(
      {
        application,
        environment,
        profile,
        number,
        version,
        content,
        strategy,
        monitors,
        served: this.#store.served(environment, profile),
        report: (message) => request.report(message),
      },
      this.#ports,
    );
    this.#all.push(deployment);
    try {
      await deployment.run();
      return number;
    } catch (error) {
      throw error instanceof DeploymentRolledBack
        ? new ResourceFailure(`deployment ${number} was rolled back: ${error.message}`)
        : error;
    }
  }

  stop(): void {
    for (const deployment of this.#all) {
      deployment.stop('the rehearsal ends');
    }
  }

  /** https://docs.aws.amazon.com/appconfig/latest/userguide/appconfig-creating-configuration-and-profile-validators.html */
  #validate(profile: string, content: string): void {
    for (const schema of this.#store.profiles.get(profile)?.validators ?? []) {
      const ajv = new Ajv({ strict: false, allErrors: true });
      const check = ajv.compile(JSON.parse(schema));
      if (!check(JSON.parse(content))) {
        throw new ResourceFailure(`the configuration does not pass its validator: ${ajv.errorsText(check.errors)}`);
      }
    }
  }
}
