import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { type Clock, stopwatch } from '../clock';
import { lazy } from '../lazy';
import { traceRootOf } from './trace-header';

const HEADER = '{"format":"json","version":1}\n';

/** Longest message of an error in a document. A datagram holds 64 KB. */
const MAX_MESSAGE = 1_000;

/** A position in a trace, and the sink for its segments. */
export interface TraceContext {
  readonly root: string;
  /** Id of the parent segment. */
  readonly parent: string | undefined;
  readonly clock: Clock;
  readonly send: (document: SegmentDocument) => void;
}

/** https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html */
export interface SegmentDocument {
  readonly trace_id: string;
  readonly id: string;
  readonly parent_id?: string;
  readonly name: string;
  readonly type?: 'subsegment';
  readonly namespace?: 'remote';
  /** Seconds since 1970. */
  readonly start_time: number;
  readonly end_time: number;
  readonly error?: true;
  readonly throttle?: true;
  readonly fault?: true;
  readonly http?: { readonly response: { readonly status: number } };
  readonly cause?: {
    readonly exceptions: readonly { readonly id: string; readonly type: string; readonly message: string }[];
  };
  readonly annotations?: Annotations;
}

export type Annotations = Readonly<Record<string, string | number | boolean>>;

export interface SegmentOptions<T = unknown> {
  /** Reads failure and annotations from the result, for work that returns failures instead of throwing them. */
  readonly outcomeOf?: (result: T) => { readonly failure?: unknown; readonly annotations?: Annotations };
  /** `remote`: a call to something that is not traced itself. */
  readonly namespace?: 'remote';
  readonly annotations?: Annotations;
}

/** Accepts a finished document. Neither waits nor throws: tracing must not affect a task. */
export type SegmentSink = (document: SegmentDocument) => void;

/** Records what a function or a container did, for X-Ray. */
export class Tracer {
  readonly #clock: Clock;
  readonly #send: SegmentSink | undefined;

  /** @param send @default sends to the X-Ray daemon in the environment; without one, nothing is record */
  constructor(
    clock: Clock,
    environment: NodeJS.ProcessEnv = process.env,
    send: SegmentSink | undefined = daemonOf(environment),
  ) {
    this.#clock = clock;
    this.#send = send;
  }

  /** Context of a trace header; undefined if nothing is record. */
  contextOf(header: string | undefined): TraceContext | undefined {
    const root = traceRootOf(header);
    if (this.#send === undefined || root === undefined || /(?:^|;)\s*Sampled=0/i.test(header ?? '')) {
      return undefined;
    }
    const parent = /(?:^|;)\s*Parent=([0-9a-f]{16})(?:;|$)/i.exec(header ?? '')?.[1]?.toLowerCase();
    return { root, parent, clock: this.#clock, send: this.#send };
  }
}

/**
 * The X-Ray daemon of the Lambda environment. Documents are small and sent by UDP after the segment has ended: sending neither
 * waits nor fails without a listener.
 */
function daemonOf(environment: NodeJS.ProcessEnv): SegmentSink | undefined {
  const address = daemonAddress(environment.AWS_XRAY_DAEMON_ADDRESS);
  if (address === undefined) {
    return undefined;
  }
  const socket = lazy(() => {
    const made = createSocket('udp4');
    made.on('error', () => {});
    made.unref();
    return made;
  });
  return (document) => {
    try {
      socket().send(`${HEADER}${segmentText(document)}`, address.port, address.host, () => {});
    } catch {
      // Tracing must not affect a task.
    }
  };
}

/** A document as X-Ray takes it. */
export function segmentText(document: SegmentDocument): string {
  return JSON.stringify(document, truncateMessages);
}

/** The context with every text of its documents redacted. */
export function redactTrace(
  trace: TraceContext | undefined,
  redact: (text: string) => string,
): TraceContext | undefined {
  if (trace === undefined) {
    return undefined;
  }
  const redacted = (document: SegmentDocument): SegmentDocument =>
    JSON.parse(JSON.stringify(document, (_, value: unknown) => (typeof value === 'string' ? redact(value) : value)));
  return { ...trace, send: (document) => trace.send(redacted(document)) };
}

/** Runs the work and records it as a segment: the part of one service in the trace. */
export function captureSegment<T>(
  trace: TraceContext | undefined,
  name: string,
  work: (inner: TraceContext | undefined) => Promise<T>,
  options: SegmentOptions<T> = {},
): Promise<T> {
  return record(trace, {}, name, work, options);
}

/** Runs the work and records it as a subsegment of the context's segment. */
export function captureSubsegment<T>(
  trace: TraceContext | undefined,
  name: string,
  work: (inner: TraceContext | undefined) => Promise<T>,
  options: SegmentOptions<T> = {},
): Promise<T> {
  return record(trace, { type: 'subsegment' }, name, work, options);
}

async function record<T>(
  trace: TraceContext | undefined,
  kind: Pick<SegmentDocument, 'type'>,
  name: string,
  work: (inner: TraceContext | undefined) => Promise<T>,
  { namespace, annotations, outcomeOf }: SegmentOptions<T>,
): Promise<T> {
  if (trace === undefined) {
    return work(undefined);
  }
  const { root, parent, clock, send } = trace;
  const id = newSegmentId();
  const start = clock.now() / 1000;
  const elapsed = stopwatch();
  const done = (outcome: Partial<SegmentDocument> = {}) =>
    send({
      trace_id: root,
      id,
      parent_id: parent,
      name: nameOf(name),
      ...kind,
      ...(namespace === undefined ? {} : { namespace }),
      start_time: start,
      end_time: start + elapsed() / 1000,
      ...(annotations === undefined ? {} : { annotations }),
      ...outcome,
    });
  try {
    const result = await work({ ...trace, parent: id });
    const outcome = outcomeOf?.(result);
    done({
      ...(outcome?.failure === undefined ? {} : describe(outcome.failure)),
      ...(outcome?.annotations === undefined ? {} : { annotations: { ...annotations, ...outcome.annotations } }),
    });
    return result;
  } catch (error) {
    done(describe(error));
    throw error;
  }
}

/** By the HTTP status, if the error or what caused it has one: 429 (and 529) a throttle, 4xx an error, the rest a fault. */
function describe(error: unknown): Partial<SegmentDocument> {
  const { code, name, message, cause } = fieldsOf(error);
  const status = [fieldsOf(error).status, fieldsOf(cause).status].find((each) => typeof each === 'number');
  return {
    ...(status === 429 || status === 529
      ? { error: true, throttle: true }
      : status !== undefined && status < 500
        ? { error: true }
        : { fault: true }),
    ...(status === undefined ? {} : { http: { response: { status } } }),
    cause: {
      exceptions: [
        {
          id: newSegmentId(),
          type: String(code ?? name ?? 'Error'),
          message: String(message ?? error),
        },
      ],
    },
  };
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/** Messages are truncated after redaction: a truncated secret would not be recognized. */
function truncateMessages(key: string, value: unknown): unknown {
  return key === 'message' && typeof value === 'string' ? value.slice(0, MAX_MESSAGE) : value;
}

/** X-Ray takes letters, digits, white space and some signs, 200 in all. */
function nameOf(name: string): string {
  return name.replaceAll(/[^\p{L}\p{N}\s_.:/%&#=+\\\-@]/gu, '_').slice(0, 200);
}

function newSegmentId(): string {
  return randomBytes(8).toString('hex');
}

/** `host:port`, or `tcp:host:port udp:host:port`. */
function daemonAddress(text: string | undefined): { readonly host: string; readonly port: number } | undefined {
  const found = /(?:^|\s)(?:udp:)?([^\s:]+):(\d+)(?:\s|$)/.exec(text?.replace(/(?:^|\s)tcp:\S+/, '') ?? '');
  return found?.[1] === undefined ? undefined : { host: found[1], port: Number(found[2]) };
}
