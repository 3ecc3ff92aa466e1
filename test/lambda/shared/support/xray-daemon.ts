import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

/** What the X-Ray daemon of a function would get. */
export class XRayDaemon {
  readonly #datagrams: string[] = [];

  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('message', (message) => this.#datagrams.push(message.toString()));
  }

  static async start(): Promise<XRayDaemon> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return new XRayDaemon(socket);
  }

  get address(): string {
    return `127.0.0.1:${(this.#socket.address() as AddressInfo).port}`;
  }

  /** The documents of a number of datagrams, by their names. */
  async documents(count: number): Promise<Record<string, Record<string, unknown>>> {
    for (let waits = 0; this.#datagrams.length < count && waits < 200; waits += 1) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return Object.fromEntries(
      this.#datagrams.map((datagram) => {
        const [header = '', body = ''] = datagram.split('\n');
        if (header !== '{"format":"json","version":1}') {
          throw new Error(`not the header of a segment document: ${header}`);
        }
        const document = JSON.parse(body);
        return [document.name, document];
      }),
    );
  }

  get received(): number {
    return this.#datagrams.length;
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }
}
