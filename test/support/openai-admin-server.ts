import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ScriptedOpenAiAdmin } from '../../rehearsal/provider';

/** Serves the OpenAI administration API alone. @returns base URL with `/v1`, and a function that stops the server */
export async function serveOpenAiAdmin(
  admin: ScriptedOpenAiAdmin,
): Promise<{ readonly baseUrl: string; stop(): Promise<void> }> {
  const server: Server = createServer((request, response) => {
    admin.handle(request, response).then(
      (known) => {
        if (!known) {
          response.writeHead(404).end();
        }
      },
      () => request.socket.destroy(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}
