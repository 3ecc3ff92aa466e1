import { HttpErrorCode } from '../../../lib/contract';
import { isUnavailable } from '../aws/aws-errors';
import { TaskUnreadableError } from '../tasks/task-item';
import type { Log } from '../telemetry/logger';
import { Refusal } from './http';

/** Any thrown value as a response to the caller. */
export function refusalOf(error: unknown): Refusal {
  return error instanceof Refusal
    ? error
    : new Refusal(HttpErrorCode.INTERNAL, 'the request could not be handled', undefined, { cause: error });
}

/**
 * Calls a service and turns its failure into a refusal: `unavailable` where a repetition may help, `task_unreadable` for
 * a damaged record, `internal` for the rest. The cause goes to the log, not to the caller.
 *
 * @param what failed, for the caller
 * @param advice for the caller, where a repetition may help
 */
export async function orRefuse<T>(what: string, call: () => Promise<T>, advice = 'send the request again'): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    if (cause instanceof TaskUnreadableError) {
      const message = `${what}: its stored record is damaged; report the task id to the operator of the agent`;
      throw new Refusal(HttpErrorCode.TASK_UNREADABLE, message, undefined, { cause });
    }
    throw isUnavailable(cause)
      ? new Refusal(HttpErrorCode.UNAVAILABLE, `${what}; ${advice}`, undefined, { cause })
      : new Refusal(HttpErrorCode.INTERNAL, what, undefined, { cause });
  }
}

/** Logs a refusal. Its cause is in the log only. */
export function report(refusal: Refusal, logger: Log, fields: Readonly<Record<string, string>> = {}): void {
  const { code, message, cause, status } = refusal;
  const line = { code, reason: message, ...fields, ...(cause instanceof Error ? { error: cause } : {}) };
  if (status === 500) {
    logger.error('request refused', line);
  } else if (status === 503) {
    logger.warn('request refused', line);
  } else {
    logger.info('request refused', line);
  }
}
