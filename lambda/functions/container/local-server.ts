import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { AgentProtocolErrorCode, TaskErrorCode } from '../../../lib/contract';
import { WORKER_HEALTH_PATH, type WorkerHealth } from '../../../lib/contract/agent-protocol';
import { messageOf } from '../../shared/errors';
import type { Log } from '../../shared/telemetry/logger';

export interface LocalResponse {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers requests below a path. Undefined for one that is not its. */
export type LocalRoutes = (request: IncomingMessage) => Promise<LocalResponse> | undefined;

export interface LocalServerOptions {
  readonly port: number;
  readonly health: () => { readonly healthy: boolean; readonly health: WorkerHealth };
  readonly routes?: LocalRoutes | undefined;
  readonly logger: Log;
}

/** What the worker answers to its neighbors in the task. It listens on localhost only: no caller outside of the task reaches it. */
export class LocalServer {
  readonly #server: Server;

  /** @throws Error when the port is taken */
  static async open(options: LocalServerOptions): Promise<LocalServer> {
    const server = createServer((request, response) => void answer(options, request, response));
    // An agent waits as long as a model takes to answer; it is the agent's side that gives up.
    server.requestTimeout = 0;
    server.listen(options.port, '127.0.0.1');
    await once(server, 'listening');
    return new LocalServer(server);
  }

  private constructor(server: Server) {
    this.#server = server;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

async function answer(
  { health, routes, logger }: LocalServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let answered: LocalResponse;
  try {
    if (request.method === 'GET' && request.url === WORKER_HEALTH_PATH) {
      const { healthy, health: body } = health();
      answered = { status: healthy ? 200 : 503, body };
    } else {
      answered = (await routes?.(request)) ?? {
        status: 404,
        body: {
          error: {
            code: AgentProtocolErrorCode.NOT_FOUND,
            message: `there is no ${request.method} ${request.url} here`,
          },
        },
      };
    }
  } catch (error) {
    logger.error('a request of the agent failed', {
      component: 'server',
      outcome: 'error',
      request: `${request.method} ${request.url}`,
      reason: messageOf(error),
    });
    answered = { status: 500, body: { error: { code: TaskErrorCode.WORKER_ERROR, message: messageOf(error) } } };
  }
  const text = Buffer.from(JSON.stringify(answered.body));
  response.writeHead(answered.status, {
    ...answered.headers,
    'content-type': 'application/json',
    'content-length': text.length,
    // What is left unread of a request must not be taken for the next one.
    ...(request.complete ? {} : { connection: 'close' }),
  });
  response.end(text);
}
