import type { HttpHandler } from '../../api-server';
import { CloudFormation, type EngineDeps } from './engine';
import { RESPONSE_URL_PREFIX, ResponseUrls } from './response-urls';

export type { DeployRequest } from './engine';
export type {
  DeployResult,
  DeployStatus,
  DestroyResult,
  ProgressEvent,
  ResourceChange,
  RetainedResource,
  StackEvent,
  StackResourceView,
} from './model';
export type { CloudFormation };

export interface CloudFormationDeps extends Omit<EngineDeps, 'responseUrls'> {
  /** Base URL of the API server. */
  readonly endpointUrl: () => string;
  /** Serves HTTP below a prefix of the API server. */
  readonly mount: (prefix: string, handler: HttpHandler) => unknown;
}

/** CloudFormation: deploys and destroys stacks; custom resources answer on the API server. */
export function createCloudFormation({ endpointUrl, mount, ...deps }: CloudFormationDeps): CloudFormation {
  const responseUrls = new ResponseUrls(endpointUrl);
  mount(RESPONSE_URL_PREFIX, (request, response) => responseUrls.handle(request, response));
  return new CloudFormation({ ...deps, responseUrls });
}
