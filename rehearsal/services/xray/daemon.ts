import { createSocket, type Socket } from 'node:dgram';
import { z } from 'zod';

/** Traces that are kept; the oldest go first. */
const MAX_TRACES = 20_000;

/** Documents kept of one trace. */
const MAX_DOCUMENTS = 1_000;

/** @see https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html */
const documentSchema = z.looseObject({
  trace_id: z.string().regex(/^1-[0-9a-f]{8}-[0-9a-f]{24}$/),
  id: z.string().regex(/^[0-9a-f]{16}$/),
  name: z.string().min(1).max(200),
  start_time: z.number(),
  end_time: z.number().optional(),
  in_progress: z.boolean().optional(),
  parent_id: z
    .string()
    .regex(/^[0-9a-f]{16}$/)
    .optional(),
  type: z.literal('subsegment').optional(),
});

/** A segment or a subsegment as it was sent; what is nested in it stays in it. */
export type SegmentDocument = z.infer<typeof documentSchema>;

export interface TraceView {
  /** `1-` and the rest of the root id. */
  readonly id: string;
  /** In the order of their arrival. */
  readonly documents: readonly SegmentDocument[];
}

const headerSchema = z.looseObject({ format: z.literal('json'), version: z.literal(1) });

/**
 * What the X-Ray daemon is to a function: a UDP socket on 127.0.0.1 that takes segment documents, each after a header
 * line. The documents are kept and passed on to nobody; nothing is sampled away.
 *
 * @see https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-daemon
 */
export class XRayDaemon {
  static async start(): Promise<XRayDaemon> {
    const socket = createSocket('udp4');
    const daemon = new XRayDaemon(socket);
    socket.on('message', (datagram) => daemon.take(datagram.toString('utf8')));
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

  private readonly byTrace = new Map<string, SegmentDocument[]>();
  private readonly refused: string[] = [];
  private refusals = 0;
  private stopped = false;

  private constructor(private readonly socket: Socket) {}

  /** `127.0.0.1:PORT`: what goes into `AWS_XRAY_DAEMON_ADDRESS`. */
  get address(): string {
    return `127.0.0.1:${this.socket.address().port}`;
  }

  /** Oldest first. */
  traces(): readonly TraceView[] {
    return [...this.byTrace].map(([id, documents]) => ({ id, documents: [...documents] }));
  }

  /** Datagrams that were no segment documents, with the first few and what was wrong with them. */
  malformed(): { readonly count: number; readonly examples: readonly string[] } {
    return { count: this.refusals, examples: [...this.refused] };
  }

  async stop(): Promise<void> {
    if (!this.stopped) {
      this.stopped = true;
      await new Promise<void>((resolve) => this.socket.close(() => resolve()));
    }
  }

  private take(datagram: string): void {
    const line = datagram.indexOf('\n');
    const header = headerSchema.safeParse(parse(datagram.slice(0, Math.max(0, line))));
    const document = documentSchema.safeParse(parse(datagram.slice(line + 1)));
    if (!header.success || !document.success) {
      const issue = header.error?.issues[0] ?? document.error?.issues[0];
      this.refuse(
        `${issue?.path.join('.') || 'datagram'}: ${issue?.message ?? 'not valid'}: ${datagram.slice(0, 200)}`,
      );
      return;
    }
    const { trace_id: trace } = document.data;
    const documents = this.byTrace.get(trace) ?? [];
    if (documents.length < MAX_DOCUMENTS) {
      documents.push(document.data);
    }
    this.byTrace.set(trace, documents);
    const [oldest] = this.byTrace.keys();
    if (this.byTrace.size > MAX_TRACES && oldest !== undefined) {
      this.byTrace.delete(oldest);
    }
  }

  private refuse(why: string): void {
    this.refusals += 1;
    if (this.refused.length < 10) {
      this.refused.push(why);
    }
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
