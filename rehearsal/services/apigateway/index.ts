import type { ResourceHandler } from '../../core/resource';
import { Apis, type ApisDeps } from './apis';
import { apiHandler, authorizerHandler, integrationHandler, routeHandler, stageHandler } from './resources';

export type ApiGatewayDeps = ApisDeps;

export interface ApiGateway {
  readonly handlers: readonly ResourceHandler[];
  stop(): Promise<void>;
}

/** HTTP APIs of API Gateway. Only the template makes them: there is no wire side but the APIs themselves. */
export function createApiGateway(deps: ApiGatewayDeps): ApiGateway {
  const apis = new Apis(deps);
  return {
    handlers: [apiHandler, stageHandler, routeHandler, integrationHandler, authorizerHandler].map((make) => make(apis)),
    stop: async () => apis.deleteAll(),
  };
}
