import { WEBHOOK_BACKOFF_MS } from '../../../lib/contract';
import { equalJitterMs } from '../../shared/backoff';

/** SQS hides a message for at most 12 hours after its receive; one delivery takes part of that time. */
const MAX_HIDDEN_MS = 12 * 60 * 60_000 - 5 * 60_000;

/** A delivery that did not succeed. */
export interface FailedAttempt {
  /** 1 for the first. */
  readonly number: number;
  readonly now: number;
  /** End of the retry period. */
  readonly until: number;
  /** `Retry-After` header of the response. */
  readonly retryAfter?: string;
}

/**
 * Milliseconds until the next delivery: exponential backoff with equal jitter, so that the webhooks of one outage do not
 * all return at once, and at least what the receiver asked for. The last delivery is at the end of the retry period.
 *
 * @param random 0 to 1
 */
export function retryDelayMs({ number, now, until, retryAfter }: FailedAttempt, random: number): number {
  const wanted = Math.max(equalJitterMs(number, random, WEBHOOK_BACKOFF_MS), retryAfterMs(retryAfter, now));
  return Math.max(1_000, Math.min(wanted, until - now, MAX_HIDDEN_MS));
}

/** `Retry-After` is seconds or a date (https://www.rfc-editor.org/rfc/rfc9110#field.retry-after). */
function retryAfterMs(header: string | undefined, now: number): number {
  if (header === undefined) {
    return 0;
  }
  if (/^\d{1,9}$/.test(header)) {
    return Number(header) * 1_000;
  }
  const date = Date.parse(header);
  return Number.isNaN(date) ? 0 : date - now;
}
