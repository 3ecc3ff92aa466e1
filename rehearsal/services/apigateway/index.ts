import type { ResourceHandler } from '../../core/resource';
import { Apis, type ApisDeps } from './apis';
import { apiHandler, authorizerHandler, integrationHandler, routeHandler, stageHandler } from './resources';

export type HttpApiDeps = ApisDeps;

export interface HttpApi {
  readonly handlers: readonly ResourceHandler[];
  stop(): Promise<void>;
}

/** HTTP APIs of API Gateway. Only the template makes them: there is no wire side but the APIs themselves. */
export function createHttpApi(deps: HttpApiDeps): HttpApi {
  const apis = new Apis(deps);
  return {
    handlers: [apiHandler, stageHandler, routeHandler, integrationHandler, authorizerHandler].map((make) => make(apis)),
    stop: async () => apis.deleteAll(),
  };
}
