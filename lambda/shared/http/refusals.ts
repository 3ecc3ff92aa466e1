import { HttpErrorCode } from '../../../lib/contract';
import type { Log } from '../telemetry/logger';
import { Refusal } from './http';

/** Whatever was thrown, as what the caller is told. */
export function refusalOf(error: unknown): Refusal {
  return error instanceof Refusal
    ? error
    : new Refusal(HttpErrorCode.INTERNAL, 'the request could not be handled', undefined, { cause: error });
}

/** The caller learns that it failed; why is for the log. */
export function report(refusal: Refusal, logger: Log, fields: Readonly<Record<string, string>> = {}): void {
  const { code, message, cause } = refusal;
  const line = { code, reason: message, ...fields, ...(cause instanceof Error ? { error: cause } : {}) };
  if (code === HttpErrorCode.INTERNAL) {
    logger.error('request refused', line);
  } else if (code === HttpErrorCode.UNAVAILABLE) {
    logger.warn('request refused', line);
  } else {
    logger.info('request refused', line);
  }
}
