import { createSocket, type Socket } from 'node:dgram';
import { z } from 'zod';
import { parse, Traces, type TraceView } from './model';

const headerSchema = z.looseObject({ format: z.literal('json'), version: z.literal(1) });

/**
 * The X-Ray daemon: a UDP socket on 127.0.0.1 that receives segment documents, each after a header line.
 *
 * @see https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-daemon
 */
export class XRayDaemon {
  /** @param kept receives the documents */
  static async start(kept = new Traces()): Promise<XRayDaemon> {
    const socket = createSocket('udp4');
    const daemon = new XRayDaemon(socket, kept);
    socket.on('message', (datagram) => daemon.#receive(datagram.toString('utf8')));
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(0, '127.0.0.1', () => {
        socket.off('error', reject);
        resolve();
      });
    });
    // The cloud's servers keep the process alive as long as it is needed.
    socket.unref();
    return daemon;
  }

  readonly #socket: Socket;
  readonly #traces: Traces;
  readonly #refused: string[] = [];
  #refusals = 0;
  #stopped = false;

  private constructor(socket: Socket, kept: Traces) {
    this.#socket = socket;
    this.#traces = kept;
  }

  /** `127.0.0.1:PORT`: what goes into `AWS_XRAY_DAEMON_ADDRESS`. */
  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  /** Oldest first. */
  traces(): readonly TraceView[] {
    return this.#traces.views();
  }

  /** Datagrams that were no segment documents, with the first few and what was wrong with them. */
  malformed(): { readonly count: number; readonly examples: readonly string[] } {
    return { count: this.#refusals, examples: [...this.#refused] };
  }

  async stop(): Promise<void> {
    if (!this.#stopped) {
      this.#stopped = true;
      await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
    }
  }

  #receive(datagram: string): void {
    const line = datagram.indexOf('\n');
    const header = headerSchema.safeParse(parse(datagram.slice(0, Math.max(0, line))));
    const issue = header.error?.issues[0];
    const problem =
      issue === undefined
        ? this.#traces.add(datagram.slice(line + 1))
        : `${issue.path.join('.') || 'datagram'}: ${issue.message}`;
    if (problem !== undefined) {
      this.#refuse(`${problem}: ${datagram.slice(0, 200)}`);
    }
  }

  #refuse(why: string): void {
    this.#refusals += 1;
    if (this.#refused.length < 10) {
      this.#refused.push(why);
    }
  }
}
