import { WEBHOOK_BACKOFF_MS } from '../../../lib/contract';

/** A message stays hidden for 12 hours at most from when it was received; a delivery takes some of that. */
const MAX_HIDDEN_MS = 12 * 60 * 60_000 - 5 * 60_000;

export interface Attempt {
  /** 1 for the first. */
  readonly number: number;
  readonly now: number;
  /** When the webhook is given up. */
  readonly until: number;
  /** Header of the answer. */
  readonly retryAfter?: string | undefined;
}

/**
 * Milliseconds until the next delivery: twice the last wait, half of it drawn at random so that the webhooks of one outage
 * do not all come back at once; at least what the receiver asked for. The last one is at the end of the time that there is.
 *
 * @param random 0 to 1
 */
export function waitAfter({ number, now, until, retryAfter }: Attempt, random: number): number {
  const { first, longest } = WEBHOOK_BACKOFF_MS;
  const full = Math.min(longest, first * 2 ** Math.min(number - 1, 30));
  const wanted = Math.max(full * (0.5 + random / 2), retryAfterMs(retryAfter, now));
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
