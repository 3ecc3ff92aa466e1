import { randomBytes } from 'node:crypto';
import type { HttpHandler } from '../../api-server';
import { ResourceFailure } from '../../core/resource';
import { Gateway, type GatewayDeps } from './gateway';
import type { Api } from './model';

export interface ApisDeps extends GatewayDeps {
  readonly endpointUrl: () => string;
  /** Of the API server. */
  readonly mount: (prefix: string, handler: HttpHandler) => () => void;
}

/** The HTTP APIs of the account, each mounted on the API server. */
export class Apis {
  readonly #deps: ApisDeps;
  readonly #mounted = new Map<string, { readonly api: Api; readonly unmount: () => void }>();

  constructor(deps: ApisDeps) {
    this.#deps = deps;
  }

  create(): Api {
    const api: Api = {
      id: randomBytes(5).toString('hex'),
      stages: new Map(),
      routes: new Map(),
      integrations: new Map(),
      authorizers: new Map(),
    };
    const prefix = prefixOf(api.id);
    const gateway = new Gateway(api, prefix, this.#deps);
    const unmount = this.#deps.mount(prefix, (request, response) => gateway.serve(request, response));
    this.#mounted.set(api.id, { api, unmount });
    return api;
  }

  find(id: string): Api | undefined {
    return this.#mounted.get(id)?.api;
  }

  /** @throws ResourceFailure if there is none with this id */
  get(id: string): Api {
    const api = this.find(id);
    if (api === undefined) {
      throw new ResourceFailure(`Invalid API identifier specified ${id}`);
    }
    return api;
  }

  delete(id: string): void {
    this.#mounted.get(id)?.unmount();
    this.#mounted.delete(id);
  }

  deleteAll(): void {
    for (const id of [...this.#mounted.keys()]) {
      this.delete(id);
    }
  }

  endpointOf(id: string): string {
    return `${this.#deps.endpointUrl()}${prefixOf(id)}`;
  }
}

function prefixOf(id: string): string {
  return `/_api/${id}`;
}
