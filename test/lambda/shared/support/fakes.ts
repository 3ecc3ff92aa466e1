import type { Clock } from '../../../../lambda/shared/clock';
import type { Log } from '../../../../lambda/shared/telemetry/logger';

/** 2026-01-01T00:00:00Z */
export const START = Date.UTC(2026, 0, 1);

/** A clock that stands still; sleeping moves it. */
export class FakeClock implements Clock {
  readonly slept: number[] = [];

  constructor(public time: number = START) {}

  now(): number {
    return this.time;
  }

  async sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.slept.push(milliseconds);
    this.time += milliseconds;
  }
}

export interface LogLine {
  readonly level: 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A logger that keeps its lines. */
export class CapturedLog implements Log {
  readonly lines: LogLine[] = [];
  readonly info: Log['info'] = (input, ...extra) => this.#add('info', input, extra);
  readonly warn: Log['warn'] = (input, ...extra) => this.#add('warn', input, extra);
  readonly error: Log['error'] = (input, ...extra) => this.#add('error', input, extra);

  find(message: string): LogLine {
    const line = this.lines.find((one) => one.message.includes(message));
    if (line === undefined) {
      throw new Error(`no line says ${message}; there are ${JSON.stringify(this.lines)}`);
    }
    return line;
  }

  #add(level: LogLine['level'], input: unknown, [fields]: readonly unknown[]): void {
    this.lines.push({ level, message: String(input), fields: (fields ?? {}) as LogLine['fields'] });
  }
}

/** An invocation with the given real milliseconds left. */
export function invocation(remaining = 60_000) {
  return { getRemainingTimeInMillis: () => remaining };
}

/** An error as the SDK throws it. */
export function awsError(name: string, status = 400): Error {
  return Object.assign(new Error(`${name} from the test`), { name, $metadata: { httpStatusCode: status } });
}

/** Errors that mean: ask again later. */
export const OUTAGES: readonly (readonly [string, Error])[] = [
  ['throttling', awsError('ThrottlingException')],
  ['provisioned throughput', awsError('ProvisionedThroughputExceededException')],
  ['a server error', awsError('InternalServerError', 500)],
  ['a gateway error', awsError('ServiceUnavailable', 503)],
  ['a refused connection', Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })],
  ['a time-out', Object.assign(new Error('timed out'), { name: 'TimeoutError' })],
];
