export { aliasHandler } from './alias';
export { type DeploymentEvent, DeploymentFailure, type DeploymentView } from './model';
export { applicationHandler, deploymentConfigHandler, deploymentGroupHandler } from './resources';
export { type CodeDeployOptions, CodeDeployService } from './service';
