import { type IncomingMessage, request } from 'node:http';
import { startRealTimer } from '../../shared/clock';

export interface HttpCall {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** Plain HTTP: for what is on this machine or next to it. */
  readonly url: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Real milliseconds for all of it. @default none: as long as the other side needs */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Largest answer that is read, in bytes. */
  readonly maxBytes: number;
}

export interface LocalHttpResponse {
  readonly status: number;
  readonly text: string;
  /** Seconds, from the header of that name; undefined where it is none. */
  readonly retryAfterSeconds: number | undefined;
}

/** No answer came, or not all of it: no server listens, the connection broke, time was up. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError';

  constructor(
    message: string,
    /** The time was up: the server may be there, and slow. */
    readonly timedOut: boolean,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The answer is larger than what is read of it. */
export class ResponseTooLargeError extends Error {
  override readonly name = 'TooLargeError';
}

/**
 * One call over HTTP, on a connection of its own. Not `fetch`: that gives up on an answer whose headers take more than
 * five minutes, and an agent may take hours.
 *
 * @throws UnreachableError, TooLargeError, or the signal's reason when it aborts
 */
export function callHttp({ method, url, body, timeoutMs, signal, maxBytes }: HttpCall): Promise<LocalHttpResponse> {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const outgoing = request(url, {
      method,
      agent: false,
      headers: {
        accept: 'application/json',
        ...(text === undefined ? {} : { 'content-type': 'application/json', 'content-length': text.length }),
      },
    });
    const cancel =
      timeoutMs === undefined
        ? () => {}
        : startRealTimer(timeoutMs, () =>
            end(new UnreachableError(`no answer within ${Math.round(timeoutMs)} ms`, true)),
          );
    const onAbort = () => end(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    const settle = () => {
      cancel();
      signal?.removeEventListener('abort', onAbort);
    };
    const end = (reason: unknown) => {
      settle();
      reject(reason);
      outgoing.destroy();
    };
    outgoing.on('error', (error) => end(new UnreachableError(describe(error), false, { cause: error })));
    outgoing.on('response', (incoming) => {
      readAll(incoming, maxBytes).then((read) => {
        settle();
        resolve({
          status: incoming.statusCode ?? 0,
          text: read,
          retryAfterSeconds: secondsOf(incoming.headers['retry-after']),
        });
      }, end);
    });
    outgoing.end(text);
  });
}

/** @throws TooLargeError beyond `maxBytes`; UnreachableError when the connection ends before the answer does */
async function readAll(incoming: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of incoming) {
      bytes += chunk.length;
      if (bytes > maxBytes) {
        throw new ResponseTooLargeError(`the answer has more than ${maxBytes} bytes`);
      }
      chunks.push(chunk);
    }
  } catch (error) {
    throw error instanceof ResponseTooLargeError
      ? error
      : new UnreachableError(`the answer broke off: ${describe(error)}`, false, { cause: error });
  }
  return Buffer.concat(chunks).toString('utf8');
}

function secondsOf(header: string | undefined): number | undefined {
  return header !== undefined && /^\d+(\.\d+)?$/.test(header) ? Number(header) : undefined;
}

/** Errors of several addresses come with an empty message. */
function describe(error: unknown): string {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  return typeof message === 'string' && message !== '' ? message : String(code ?? error);
}
