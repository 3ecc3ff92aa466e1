import * as z from 'zod';

/**
 * Largest input or result, in bytes of JSON, that is kept in the task's item. A larger one goes to the payload bucket:
 * every write of an item is paid by the item's size, so 16 KB in an item cost more than a PUT and a GET in S3.
 */
export const MAX_INLINE_BYTES = 16 * 1024;

/** Largest value of a journal entry that is kept in the entry's item, in bytes of JSON. */
export const MAX_INLINE_STEP_BYTES = 16 * 1024;

/**
 * Largest request body, result of a task, and value of a journal entry, in bytes of JSON. Events and answers of a
 * function are limited to 6 MB with everything around them, and JSON in JSON grows by its quotes
 * (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
 */
export const MAX_PAYLOAD_BYTES = 4 * 1024 * 1024;

/** Where a payload is in the payload bucket, and what it must be. */
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
   * @param digest of the input: two requests that use one idempotency key for different inputs at the same moment must
   *   not write over each other
   */
  input: (taskId: string, digest: string): string => `${PAYLOAD_PREFIX}${taskId}/input-${digest}.json`,
  /** Each attempt writes its own: a late one must not replace the result that was recorded. */
  result: (taskId: string, attempt: number): string => `${PAYLOAD_PREFIX}${taskId}/result-${attempt}.json`,
  /** @param digest of the journal key, for keys hold whatever the agent named its steps */
  step: (taskId: string, digest: string, attempt: number): string =>
    `${PAYLOAD_PREFIX}${taskId}/steps/${digest}-${attempt}.json`,
  /** One object per model call. */
  transcript: (taskId: string, attempt: number, call: number): string =>
    `${TRANSCRIPT_PREFIX}${taskId}/${String(attempt).padStart(3, '0')}-${String(call).padStart(4, '0')}.json`,
} as const;
