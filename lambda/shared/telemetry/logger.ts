import { LogFormatter, Logger, LogItem } from '@aws-lambda-powertools/logger';
import type { LogAttributes, UnformattedAttributes } from '@aws-lambda-powertools/logger/types';
import { type Clock, systemClock } from '../clock';

/** Fields of every line of a function's log. */
export interface LogContext {
  /** Component that logs: `router`, `worker`, … */
  readonly component: string;
  readonly agent: string;
  readonly release?: string;
  readonly lane?: string;
}

/** Lines carry the cloud's time, so that they agree with leases, alarms and rollouts in the rehearsal too. */
class CloudTimeFormatter extends LogFormatter {
  readonly #clock: Clock;

  constructor(clock: Clock) {
    super();
    this.#clock = clock;
  }

  override formatAttributes(line: UnformattedAttributes, fields: LogAttributes): LogItem {
    const attributes: LogAttributes = {
      timestamp: new Date(this.#clock.now()).toISOString(),
      level: line.logLevel,
      message: line.message,
      traceId: line.xRayTraceId,
    };
    return new LogItem({ attributes }).addAttributes(fields);
  }
}

/**
 * A logger that writes one JSON object per line, with the fields of the context on each. For fields of one task use
 * `logger.createChild({ persistentKeys: { task } })`: appending keys to a shared logger would leak them into others'
 * lines.
 */
export function createLogger({ component, agent, release, lane }: LogContext, clock: Clock = systemClock()): Logger {
  return new Logger({
    serviceName: agent,
    logFormatter: new CloudTimeFormatter(clock),
    persistentKeys: {
      component,
      agent,
      release,
      lane,
    },
  });
}

/** The logger methods that most code uses. */
export type Log = Pick<Logger, 'info' | 'warn' | 'error'>;
