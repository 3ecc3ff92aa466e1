import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';
import { WebhookHeader } from '../../../lib/contract';
import { type Random, seededRandom } from '../../core/random';
import type { WebhookDelivery } from '../report/history';

const bodySchema = z.looseObject({ type: z.string(), data: z.looseObject({ id: z.string() }) });

/** Share of the deliveries that the receiver rejects in a drill with injected faults. */
const REJECTED_SHARE = 0.1;

/** Receives the callers' webhooks, verifies signatures as https://www.standardwebhooks.com specifies, and records deliveries. */
export class WebhookReceiver {
  static async start(seed: number, chaos: boolean): Promise<WebhookReceiver> {
    const server = createServer();
    const receiver = new WebhookReceiver(server, seededRandom(`webhooks/${seed}`), chaos ? REJECTED_SHARE : 0);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      receiver.#serve(request, response).catch(() => response.destroy());
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', () => {
        server.off('error', reject);
        resolve();
      });
    });
    return receiver;
  }

  readonly #deliveries: WebhookDelivery[] = [];
  #key: Buffer | undefined;

  readonly #server: Server;
  readonly #random: Random;
  readonly #rejectedShare: number;

  private constructor(server: Server, random: Random, rejectedShare: number) {
    this.#server = server;
    this.#random = random;
    this.#rejectedShare = rejectedShare;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/webhooks`;
  }

  get deliveries(): readonly WebhookDelivery[] {
    return this.#deliveries;
  }

  /** @param secret the signing secret of the sender */
  verifyWith(secret: string): void {
    const encoded = /^whsec_(.+)$/.exec(secret)?.[1];
    this.#key = encoded === undefined ? Buffer.from(secret) : Buffer.from(encoded, 'base64');
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) {
      chunks.push(chunk);
    }
    const text = Buffer.concat(chunks).toString('utf8');
    if (this.#random() < this.#rejectedShare) {
      response.writeHead(503).end();
      return;
    }
    const { type, data } = bodySchema.parse(JSON.parse(text));
    this.#deliveries.push({ taskId: data.id, type, signed: this.#isSigned(request, text) });
    response.writeHead(204).end();
  }

  #isSigned({ headers }: IncomingMessage, text: string): boolean {
    const key = this.#key;
    if (key === undefined) {
      return false;
    }
    const signed = `${headers[WebhookHeader.ID]}.${headers[WebhookHeader.TIMESTAMP]}.${text}`;
    const expected = Buffer.from(`v1,${createHmac('sha256', key).update(signed).digest('base64')}`);
    return String(headers[WebhookHeader.SIGNATURE] ?? '')
      .split(' ')
      .map((signature) => Buffer.from(signature))
      .some((given) => given.length === expected.length && timingSafeEqual(given, expected));
  }
}
