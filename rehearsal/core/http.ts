import type { ServerResponse } from 'node:http';

/** Aborts when the caller closes the connection before it has its response. */
export function disconnectSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) {
      controller.abort(new Error('the caller disconnected'));
    }
  });
  return controller.signal;
}
