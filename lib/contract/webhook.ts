import * as z from 'zod';
import { TASK_ID_PATTERN } from './task';

/** Body of a message in the webhook queue. What is told is read from the task's record when it is told. */
export const webhookMessageSchema = z.strictObject({
  version: z.literal(1),
  agent: z.string(),
  taskId: z.string().regex(TASK_ID_PATTERN),
});
export type WebhookMessage = z.infer<typeof webhookMessageSchema>;

/**
 * Headers of a webhook, as https://www.standardwebhooks.com has them: the signature is `v1,` and the base64 of
 * HMAC-SHA256 over `<id>.<timestamp>.<body>`, once for each key that is valid, separated by spaces.
 */
export const WebhookHeader = {
  ID: 'webhook-id',
  /** Seconds since 1970. */
  TIMESTAMP: 'webhook-timestamp',
  SIGNATURE: 'webhook-signature',
} as const;

/** Backoff between deliveries: first × 2^(n−1), at most longest. Milliseconds. */
export const WEBHOOK_BACKOFF_MS = { first: 10_000, longest: 60 * 60_000 } as const;

/**
 * Receives that the webhook queue allows: SQS's most, for the function itself moves a webhook that is given up to the
 * dead-letter queue. What is left to SQS is a function that never gets to say anything.
 */
export const WEBHOOK_MAX_RECEIVES = 1_000;
