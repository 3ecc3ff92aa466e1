import * as z from 'zod';

/**
 * Largest input or result, in bytes of JSON, that is stored in the task's item. A larger one goes to the payload bucket: the
 * price of each write grows with the item, so 16 KB in an item cost more than a PUT and a GET in S3.
 */
export const MAX_INLINE_BYTES = 16 * 1024;

/** Largest value of a journal entry that is stored in the entry's item, in bytes of JSON. */
export const MAX_INLINE_STEP_BYTES = 16 * 1024;

/**
 * Largest request body, result of a task, and value of a journal entry, in bytes of JSON. Events and responses of a
 * function are limited to 6 MB including their envelopes, and JSON inside JSON grows by escaped quotes
 * (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
 */
export const MAX_PAYLOAD_BYTES = 4 * 1024 * 1024;

/** Location of a payload in the payload bucket, with its size and digest. */
export const payloadRefSchema = z.strictObject({
  key: z.string().min(1),
  bytes: z.number().int().nonnegative(),
  /** Of the JSON text. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type PayloadRef = z.infer<typeof payloadRefSchema>;

/** Prefixes of the payload bucket; each has an expiry of its own. */
export const PAYLOAD_PREFIX = 'tasks/';
export const TRANSCRIPT_PREFIX = 'transcripts/';

/** Keys of the payload bucket: content under the task's id. */
export const PayloadKey = {
  /**
   * @param digest of the input: two concurrent requests with one idempotency key and different inputs must not overwrite
   *   each other
   */
  input: (taskId: string, digest: string): string => `${PAYLOAD_PREFIX}${taskId}/input-${digest}.json`,
  /** Each attempt writes its own object: a late attempt must not replace the recorded result. */
  result: (taskId: string, attempt: number): string => `${PAYLOAD_PREFIX}${taskId}/result-${attempt}.json`,
  /** @param digest of the journal key: agents choose the names of steps freely */
  step: (taskId: string, digest: string, attempt: number): string =>
    `${PAYLOAD_PREFIX}${taskId}/steps/${digest}-${attempt}.json`,
  /** One object per model call. */
  transcript: (taskId: string, attempt: number, call: number): string =>
    `${TRANSCRIPT_PREFIX}${taskId}/${String(attempt).padStart(3, '0')}-${String(call).padStart(4, '0')}.json`,
} as const;
