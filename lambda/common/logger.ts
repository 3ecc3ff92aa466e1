import { Logger } from '@aws-lambda-powertools/logger';

/** Fields that every log line of a function carries. Further fields are added per line or by `createChild`. */
export interface LogFields {
  /** Name of the agent. */
  readonly agent: string;
  /** Which part speaks: `router`, `worker`, `preflight`, … */
  readonly component: string;
  readonly release?: string;
}

/**
 * Logger of a function: one JSON object per line. The level comes from `POWERTOOLS_LOG_LEVEL` or Lambda's own setting.
 *
 * @default level INFO
 */
export function createLogger(fields: LogFields): Logger {
  return new Logger({ serviceName: fields.agent, persistentKeys: { ...fields } });
}
