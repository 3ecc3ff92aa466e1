import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Largest reply that CloudFormation reads, in bytes. */
const MAX_RESPONSE_BYTES = 4096;

export const RESPONSE_URL_PREFIX = '/_cloudformation';

/** What a custom resource sent to its ResponseURL: the text, or why there is none. */
export type CustomResourceResponse = { readonly body: string } | { readonly refused: string };

/** The place where custom resources report: one address per request, good for one PUT. */
export class ResponseUrls {
  readonly #baseUrl: () => string;
  readonly #waiting = new Map<string, (reply: CustomResourceResponse) => void>();

  /** @param baseUrl address under which {@link handle} is reachable, without the prefix */
  constructor(baseUrl: () => string) {
    this.#baseUrl = baseUrl;
  }

  /** Opens an address. Close it when nobody waits any more. */
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

  /** Takes a PUT. A second one to the same address is answered like a signed URL that has expired. */
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
