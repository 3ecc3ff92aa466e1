import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createSecureContext, type TLSSocket } from 'node:tls';
import { post } from '../../../../lambda/functions/webhook/post';
import { selfSigned } from './self-signed';

let server: Server;
let names: string[];
let requests: number;

beforeEach(async () => {
  names = [];
  requests = 0;
  const own = selfSigned('hooks.test');
  server = createServer(
    {
      ...own,
      SNICallback: (name, callback) => {
        names.push(name);
        callback(null, createSecureContext(own));
      },
    },
    (_, response) => {
      requests += 1;
      response.end();
    },
  );
  server.on('tlsClientError', (_error: Error, socket: TLSSocket) => socket.destroy());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

test('refuses a certificate that no authority vouches for, whatever address was checked', async () => {
  const { port } = server.address() as AddressInfo;
  const sent = post(
    { url: `https://hooks.test:${port}/`, headers: { 'content-length': '2' }, body: '{}' },
    { privateHosts: ['hooks.test'], resolve: async () => [{ address: '127.0.0.1', family: 4 }] },
    new AbortController().signal,
  );
  await expect(sent).rejects.toThrow(/self-signed certificate/);
  // The connection went to the checked address, and asked for the host by its name.
  expect(names).toEqual(['hooks.test']);
  expect(requests).toBe(0);
});
