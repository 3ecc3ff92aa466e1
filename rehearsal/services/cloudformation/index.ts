export { CloudFormation, type DeployRequest, type EngineOptions } from './engine';
export {
  type DeployResult,
  type DeployStatus,
  type DestroyResult,
  NotRehearsable,
  type ProgressEvent,
  type ResourceChange,
  type RetainedResource,
  type StackEvent,
  type StackResourceView,
} from './model';
export { RESPONSE_URL_PREFIX, ResponseUrls } from './response-urls';
