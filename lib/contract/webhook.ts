import * as z from 'zod';
import { TASK_ID_PATTERN } from './task';

/** Body of a message in the webhook queue. The content is read from the task's record at delivery. */
export const webhookMessageSchema = z.strictObject({
  version: z.literal(1),
  agent: z.string(),
  taskId: z.string().regex(TASK_ID_PATTERN),
});
export type WebhookMessage = z.infer<typeof webhookMessageSchema>;

/**
 * Headers of a webhook, as https://www.standardwebhooks.com has them: the signature is `v1,` and the base64 of
 * HMAC-SHA256 over `<id>.<timestamp>.<body>`, once for each valid key, separated by spaces.
 */
export const WebhookHeader = {
  ID: 'webhook-id',
  /** Seconds since 1970. */
  TIMESTAMP: 'webhook-timestamp',
  SIGNATURE: 'webhook-signature',
} as const;

/** Backoff between deliveries: `first` × 2^(n−1), at most `longest`. Milliseconds. */
export const WEBHOOK_BACKOFF_MS = { first: 10_000, longest: 60 * 60_000 } as const;

/**
 * Receives that the webhook queue allows: the maximum of SQS, because the function itself moves an abandoned webhook to the
 * dead-letter queue. SQS moves only messages whose function crashes each time.
 */
export const WEBHOOK_MAX_RECEIVES = 1_000;

/** Attributes of a message that the webhook function moves to its dead-letter queue. */
export const WebhookDeadLetterAttribute = {
  /** Value of {@link WebhookDeadLetterReason}. */
  REASON: 'Reason',
  /** Deliveries that were tried. */
  ATTEMPTS: 'Attempts',
} as const;

/** Why a webhook was abandoned. */
export const WebhookDeadLetterReason = {
  /** The message does not fit {@link webhookMessageSchema}. */
  INVALID_MESSAGE: 'invalid_message',
  /** The stored record of the task does not fit its schema. */
  UNREADABLE_TASK: 'unreadable_task',
  /** The URL is not https, or contains a user name and password. */
  DESTINATION_NOT_ALLOWED: 'destination_not_allowed',
  /** The receiver answered 410. */
  RECEIVER_GONE: 'receiver_gone',
  /** No delivery succeeded within `retryFor` from the end of the task. */
  RETRIES_EXPIRED: 'retries_expired',
} as const;
export type WebhookDeadLetterReason = (typeof WebhookDeadLetterReason)[keyof typeof WebhookDeadLetterReason];
