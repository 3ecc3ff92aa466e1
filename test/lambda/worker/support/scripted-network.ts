import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A call as it goes over the wire. */
export interface WireCall {
  readonly operation: string;
  readonly body: string;
}

/** `refuse`: answered 500, not done. `lose`: done, but the answer never comes. */
export type Fault = 'refuse' | 'lose' | undefined;

/** What goes between the SDK and a service: seen by the test, and spoiled when it says so. */
export class Wire {
  readonly calls: WireCall[] = [];
  fault: (call: WireCall) => Fault = () => undefined;

  private constructor(
    readonly endpoint: string,
    readonly close: () => Promise<void>,
  ) {}

  static async to(service: string): Promise<Wire> {
    const server = createServer(async (incoming, response) => {
      const body = await text(incoming);
      const call = { operation: String(incoming.headers['x-amz-target']).split('.').at(-1) ?? '', body };
      wire.calls.push(call);
      const fault = wire.fault(call);
      if (fault === 'refuse') {
        response.writeHead(500, { 'content-type': 'application/x-amz-json-1.0' });
        response.end(JSON.stringify({ __type: 'InternalServerError', message: 'away, says the test' }));
        return;
      }
      const headers = Object.entries(incoming.headers).flatMap(([name, value]): [string, string][] =>
        name === 'host' || name === 'connection' || name === 'content-length' ? [] : [[name, String(value)]],
      );
      const answer = await fetch(service, { method: 'POST', headers, body });
      const content = await answer.text();
      if (fault === 'lose') {
        incoming.socket.destroy();
        return;
      }
      response.writeHead(answer.status, {
        'content-type': 'application/x-amz-json-1.0',
        'x-amz-crc32': answer.headers.get('x-amz-crc32') ?? '',
      });
      response.end(content);
    });
    // Clients keep their connections: one closed just as a client writes to it would look like a lost call.
    server.keepAliveTimeout = 0;
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const wire: Wire = new Wire(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    return wire;
  }
}
