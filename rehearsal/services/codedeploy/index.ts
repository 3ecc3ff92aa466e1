export { type DeploymentEvent, DeploymentFailure, type DeploymentView } from './model';
export { aliasHandler, applicationHandler, deploymentConfigHandler, deploymentGroupHandler } from './resources';
export { type CodeDeployOptions, CodeDeployService } from './service';
