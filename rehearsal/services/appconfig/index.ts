import type { ResourceHandler } from '../../core/resource';
import type { RehearsalService } from '../../core/service';
import type { DeploymentDeps } from './deployment';
import { Deployments } from './deployments';
import { AppConfigStore, type ConfigurationDeploymentView } from './model';
import { AppConfigOperations } from './operations';
import {
  applicationHandler,
  deploymentHandler,
  environmentHandler,
  profileHandler,
  strategyHandler,
  versionHandler,
} from './resources';

export type { ConfigurationDeploymentView } from './model';

export interface AppConfig {
  readonly service: RehearsalService;
  readonly handlers: readonly ResourceHandler[];
  /** Oldest first. */
  deployments(): readonly ConfigurationDeploymentView[];
  stop(): void;
}

/** @param ports.random from 0 up to 1: which callers a growing deployment reaches */
export function createAppConfig(ports: DeploymentDeps & { readonly random: () => number }): AppConfig {
  const store = new AppConfigStore();
  const deployments = new Deployments(store, ports);
  return {
    service: new AppConfigOperations(store, ports.clock, ports.random),
    handlers: [
      applicationHandler(store),
      environmentHandler(store),
      profileHandler(store),
      versionHandler(store),
      strategyHandler(store),
      deploymentHandler(deployments),
    ],
    deployments: () => deployments.views(),
    stop: () => deployments.stop(),
  };
}
