import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Maximum size of a response that CloudFormation reads, in bytes. */
const MAX_RESPONSE_BYTES = 4096;

export const RESPONSE_URL_PREFIX = '/_cloudformation';

/** What a custom resource sent to its ResponseURL: the text, or why it was refused. */
export type CustomResourceResponse = { readonly body: string } | { readonly refused: string };

/** ResponseURLs of custom resources: one per request, valid for one PUT. */
export class ResponseUrls {
  readonly #baseUrl: () => string;
  readonly #waiting = new Map<string, (reply: CustomResourceResponse) => void>();

  /** @param baseUrl address under which {@link handle} is reachable, without the prefix */
  constructor(baseUrl: () => string) {
    this.#baseUrl = baseUrl;
  }

  /** Creates a ResponseURL. Close it when the request is over. */
  open(): { readonly url: string; readonly reply: Promise<CustomResourceResponse>; close(): void } {
    const token = randomUUID();
    const reply = new Promise<CustomResourceResponse>((resolve) => {
      this.#waiting.set(token, resolve);
    });
    return {
      url: `${this.#baseUrl()}${RESPONSE_URL_PREFIX}/${token}`,
      reply,
      close: () => this.#waiting.delete(token),
    };
  }

  /** Accepts a PUT. A second one to the same URL is answered like an expired signed URL. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    const token = (request.url ?? '').split('?')[0]?.split('/').at(-1) ?? '';
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MAX_RESPONSE_BYTES) {
        chunks.push(chunk);
      }
    });
    request.on('end', () => {
      const settle = this.#waiting.get(token);
      if (request.method !== 'PUT' || settle === undefined) {
        response.writeHead(403).end();
        return;
      }
      this.#waiting.delete(token);
      response.writeHead(200).end();
      settle(
        size > MAX_RESPONSE_BYTES
          ? { refused: `response object is too long: ${size} bytes; CloudFormation reads ${MAX_RESPONSE_BYTES}` }
          : { body: Buffer.concat(chunks).toString('utf8') },
      );
    });
    request.on('error', () => response.destroy());
  }
}
