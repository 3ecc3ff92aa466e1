import type { ResourceHandler } from '../../core/resource';
import type { RehearsalService } from '../../core/service';
import { type CodeDeployDeps, Deployments } from './deployments';
import type { DeploymentView } from './model';
import { CodeDeployOperations } from './operations';
import { aliasHandler, applicationHandler, deploymentConfigHandler, deploymentGroupHandler } from './resources';

export type { CodeDeployDeps } from './deployments';
export type { DeploymentEvent, DeploymentView } from './model';

export interface CodeDeploy {
  readonly service: RehearsalService;
  /** With `AWS::Lambda::Alias`, whose new versions arrive by deployments. */
  readonly handlers: readonly ResourceHandler[];
  /** Oldest first. */
  deployments(): readonly DeploymentView[];
  stop(): void;
}

/** CodeDeploy for Lambda. */
export function createCodeDeploy(deps: CodeDeployDeps): CodeDeploy {
  const deployments = new Deployments(deps);
  return {
    service: new CodeDeployOperations(deployments),
    handlers: [
      applicationHandler(deployments),
      deploymentGroupHandler(deployments),
      deploymentConfigHandler(deployments),
      aliasHandler(deps.lambda, deployments),
    ],
    deployments: () => deployments.views(),
    stop: () => deployments.stop(),
  };
}
