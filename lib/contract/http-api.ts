import * as z from 'zod';
import { PRIORITIES } from './lanes';
import { MAX_PAYLOAD_BYTES } from './payloads';
import { TASK_ID_PATTERN, TASK_STATUSES, taskErrorSchema, usageSchema } from './task';

/** Largest request body that intake accepts, in bytes. Input past {@link MAX_INLINE_BYTES} goes to the payload bucket. */
export const MAX_REQUEST_BYTES = MAX_PAYLOAD_BYTES;

/** Longest time from acceptance that a caller may give a task, in seconds: queues keep messages for 14 days. */
export const MAX_TIMEOUT_SECONDS = 7 * 24 * 60 * 60;

/** Longest comment on a result, in characters. */
export const MAX_COMMENT_LENGTH = 4_000;

/** Sent as header by HTTP callers; as field `idempotencyKey` by producers on the inbox queue. */
export const IDEMPOTENCY_HEADER = 'idempotency-key';

const key = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[\x21-\x7e]+$/, 'must be 1 to 256 printable ASCII characters without spaces');

/** Body of `POST /tasks`, and of a message in the inbox queue. */
export const submitRequestSchema = z.strictObject({
  /** What the agent gets. Checked against the agent's own schema by the worker. */
  input: z.json(),
  /**
   * Whose task it is: rollouts are sticky per user. With a JWT authorizer the token's `sub` is the user and this field
   * may be left out; if given it must be the same.
   */
  user: z.string().min(1).max(256).optional(),
  /** Conversation that the task belongs to: the agent's session state is kept under it. */
  session: z.string().min(1).max(256).optional(),
  priority: z.enum(PRIORITIES).optional(),
  /** Seconds from acceptance after which the task ends as timed_out, wherever it is by then. */
  timeoutSeconds: z.number().int().min(1).max(MAX_TIMEOUT_SECONDS).optional(),
  /** Told, signed, when the task has ended. Only for agents that were deployed with webhooks. */
  webhook: z.strictObject({ url: z.url({ protocol: /^https?$/ }).max(2048) }).optional(),
  /** Same key, same task. Over HTTP the header `Idempotency-Key` says the same. */
  idempotencyKey: key.optional(),
});
export type SubmitRequest = z.infer<typeof submitRequestSchema>;

const links = z.strictObject({ self: z.string() });

/** `202 Accepted`. */
export const submitResponseSchema = z.strictObject({
  id: z.string().regex(TASK_ID_PATTERN),
  status: z.enum(TASK_STATUSES),
  links,
});
export type SubmitResponse = z.infer<typeof submitResponseSchema>;

/** `200 OK` of `GET /tasks/{id}`. Times are ISO 8601 in UTC. */
export const taskResponseSchema = z.strictObject({
  id: z.string().regex(TASK_ID_PATTERN),
  status: z.enum(TASK_STATUSES),
  priority: z.enum(PRIORITIES),
  release: z.string().optional(),
  createdAt: z.string(),
  startedAt: z.string().optional(),
  finishedAt: z.string().optional(),
  deadline: z.string().optional(),
  /** Attempts so far. */
  attempts: z.number().int().nonnegative(),
  /** True once cancellation of the running task was asked for. */
  cancelRequested: z.literal(true).optional(),
  /** Place in line of a queued task. Approximate. */
  queue: z
    .strictObject({
      /** Messages that wait in the task's queue, this one included. */
      backlog: z.number().int().nonnegative(),
      /** Age of the oldest of them, in seconds. */
      oldestSeconds: z.number().nonnegative().optional(),
      asOf: z.string(),
    })
    .optional(),
  result: z.json().optional(),
  error: taskErrorSchema.optional(),
  usage: usageSchema.optional(),
  links,
});
export type TaskResponse = z.infer<typeof taskResponseSchema>;

/** Any 4xx or 5xx. `details` names the field (a JSON path) for 400. */
export const errorResponseSchema = z.strictObject({
  error: z.strictObject({
    code: z.enum([
      'invalid_request',
      'idempotency_conflict',
      'conflict',
      'too_large',
      'not_found',
      'forbidden',
      'overloaded',
      'unavailable',
      'internal',
    ]),
    message: z.string(),
    details: z.array(z.strictObject({ path: z.string(), message: z.string() })).optional(),
  }),
});
export type ErrorResponse = z.infer<typeof errorResponseSchema>;

/** `200 OK` (cancelled) or `202 Accepted` (the worker is told at its next heartbeat) of `DELETE /tasks/{id}`. */
export const cancelResponseSchema = z.strictObject({
  id: z.string().regex(TASK_ID_PATTERN),
  status: z.enum(TASK_STATUSES),
  links,
});
export type CancelResponse = z.infer<typeof cancelResponseSchema>;

/** Body of `POST /tasks/{id}/feedback`: at least one of thumb and score. Thumb up counts as score 1, down as 0. */
export const feedbackRequestSchema = z
  .strictObject({
    thumb: z.enum(['up', 'down']).optional(),
    score: z.number().min(0).max(1).optional(),
    comment: z.string().max(MAX_COMMENT_LENGTH).optional(),
    /** With IAM authorisation: who judges. With a JWT authorizer the token's `sub` does. @default the task's user */
    user: z.string().min(1).max(256).optional(),
  })
  .refine(({ thumb, score }) => thumb !== undefined || score !== undefined, 'must have thumb or score');
export type FeedbackRequest = z.infer<typeof feedbackRequestSchema>;

/** `200 OK` of `POST /tasks/{id}/feedback`. */
export const feedbackResponseSchema = z.strictObject({
  id: z.string().regex(TASK_ID_PATTERN),
  /** As it counts: the score if given, else the thumb's. */
  score: z.number().min(0).max(1),
  links,
});
export type FeedbackResponse = z.infer<typeof feedbackResponseSchema>;

/** Item `TaskKey.feedback`. */
export const feedbackItemSchema = z.object({
  score: z.number().min(0).max(1),
  thumb: z.enum(['up', 'down']).optional(),
  comment: z.string().optional(),
  at: z.number(),
  expiresAt: z.number().int(),
});

export const TASKS_PATH = '/tasks';
