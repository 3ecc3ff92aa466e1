import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { LookupFunction } from 'node:net';
import { raceAbort } from '../../shared/abort-signals';
import { checkDestination, type Destination, type DestinationOptions } from './destination';

/** Bytes of an answer that are read, and discarded. */
const MAX_ANSWER_BYTES = 64 * 1024;

const MAX_REDIRECTS = 3;

/** Redirects that keep method and body; after any other a client would send a GET. */
const REDIRECTS: ReadonlySet<number> = new Set([307, 308]);

export interface Post {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Answer {
  readonly status: number;
  readonly retryAfter?: string;
  /** Host that gave the answer: another than the URL's after a redirect. */
  readonly host: string;
}

/**
 * Posts to a URL that a stranger chose. Each hop is resolved once, checked, and connected to at the addresses that were
 * checked: a name that resolves to something else a moment later leads nowhere.
 *
 * @param signal ends the attempt, wherever it is
 * @throws RefusedDestination for a hop that must not be connected to
 * @throws Error when there is no answer
 */
export async function post(
  { url, headers, body }: Post,
  props: DestinationOptions,
  signal: AbortSignal,
): Promise<Answer> {
  let target = new URL(url);
  for (let redirects = 0; ; redirects += 1) {
    // The resolver takes no signal.
    const destination = await raceAbort(() => checkDestination(target, props), signal);
    const { location, ...answer } = await send(destination, headers, body, signal);
    if (location === undefined || !REDIRECTS.has(answer.status) || redirects === MAX_REDIRECTS) {
      return answer;
    }
    target = locationOf(location, target);
  }
}

function locationOf(location: string, from: URL): URL {
  try {
    return new URL(location, from);
  } catch (cause) {
    throw new Error(`${from.host} redirects to what is no URL`, { cause });
  }
}

function send(
  { url, addresses }: Destination,
  headers: Readonly<Record<string, string>>,
  body: string,
  signal: AbortSignal,
): Promise<Answer & { readonly location?: string }> {
  const checked: LookupFunction = (_hostname, options, callback) => {
    const [first] = addresses;
    if (options.all) {
      callback(null, [...addresses]);
    } else {
      callback(null, first?.address ?? '', first?.family);
    }
  };
  const request = url.protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    // No agent: a connection that was kept would be one to an address that was checked long ago.
    const outgoing = request(url, { method: 'POST', headers, lookup: checked, agent: false, signal });
    outgoing.on('error', (error) => reject(signal.aborted ? signal.reason : error));
    outgoing.on('response', (incoming) => {
      const { location } = incoming.headers;
      const retryAfter = incoming.headers['retry-after'];
      const answer = {
        status: incoming.statusCode ?? 0,
        host: url.host,
        location,
        retryAfter,
      };
      // The status is known: the rest of the answer changes nothing.
      const done = () => {
        resolve(answer);
        incoming.destroy();
      };
      let bytes = 0;
      incoming.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes >= MAX_ANSWER_BYTES) {
          done();
        }
      });
      incoming.on('end', done).on('error', done).on('close', done);
      outgoing.removeAllListeners('error').on('error', done);
    });
    outgoing.end(body);
  });
}
