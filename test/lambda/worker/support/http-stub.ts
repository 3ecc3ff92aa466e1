import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface StubRequest {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly method: string;
  /** Parsed JSON; undefined for a request without a body. */
  readonly body: unknown;
  /** As it was sent. */
  readonly text: string;
}

/** `hang`: never answered. */
export type StubAnswer =
  | { readonly status?: number; readonly headers?: Readonly<Record<string, string>>; readonly body: unknown }
  | 'hang';

export interface HttpStub {
  readonly endpoint: string;
  readonly requests: StubRequest[];
  close(): Promise<void>;
}

/** A server that answers with what the function says: JSON, or text as it is. */
export async function startStub(answer: (request: StubRequest) => StubAnswer | Promise<StubAnswer>): Promise<HttpStub> {
  const requests: StubRequest[] = [];
  const server = createServer(async (incoming, response) => {
    const sent = await text(incoming);
    const request = {
      method: incoming.method ?? 'GET',
      path: incoming.url ?? '/',
      headers: incoming.headers,
      body: sent === '' ? undefined : JSON.parse(sent),
      text: sent,
    };
    requests.push(request);
    const answered = await answer(request);
    if (answered === 'hang') {
      return;
    }
    const { status = 200, headers, body } = answered;
    response.writeHead(status, { 'content-type': 'application/json', 'request-id': 'req-stub', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  // Clients keep their connections: one closed just as a client writes to it would look like a lost call.
  server.keepAliveTimeout = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
