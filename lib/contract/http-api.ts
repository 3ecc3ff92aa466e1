import * as z from 'zod';
import { HttpErrorCode } from './error-codes';
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
  input: z.json().describe("What the agent gets. Checked against the agent's own schema by the worker."),
  user: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .describe(
      'Whose task it is: rollouts are sticky per user. With a token, its `sub` is the user and this field may be left out; if given it must be the same. With signed requests it is required.',
    ),
  session: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .describe("Conversation that the task belongs to: the agent's session state is kept under it."),
  priority: z.enum(PRIORITIES).optional().describe('How urgent it is. Default: normal.'),
  timeoutSeconds: z
    .number()
    .int()
    .min(1)
    .max(MAX_TIMEOUT_SECONDS)
    .optional()
    .describe('Seconds from acceptance after which the task ends as timed_out, wherever it is by then.'),
  webhook: z
    .strictObject({
      url: z
        .url({ protocol: /^https?$/ })
        .max(2048)
        .describe('https, at a public address, without user name and password.'),
    })
    .optional()
    .describe('Told, signed, when the task has ended. Only for agents that were deployed with webhooks.'),
  idempotencyKey: key
    .optional()
    .describe('Same key of the same user, same task. The header `Idempotency-Key` says the same.'),
});
export type SubmitRequest = z.infer<typeof submitRequestSchema>;

const links = z.strictObject({ self: z.string().describe('Path of the task.') });

/** ISO 8601 in UTC. */
const time = z.iso.datetime();

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
  release: z.string().optional().describe('Release of the agent that ran it, or runs it now.'),
  createdAt: time,
  startedAt: time.optional(),
  finishedAt: time.optional(),
  deadline: time.optional().describe('Moment by which the task must have ended.'),
  attempts: z.number().int().nonnegative().describe('Attempts so far.'),
  cancelRequested: z.literal(true).optional().describe('Cancellation of the running task was asked for.'),
  queue: z
    .strictObject({
      backlog: z.number().int().nonnegative().describe("Tasks that wait in the task's queue, this one included."),
      oldestSeconds: z.number().nonnegative().optional().describe('Age of the oldest of them, in seconds.'),
      asOf: time,
    })
    .optional()
    .describe('Place in line of a queued task. Approximate; absent when it is not known.'),
  result: z.json().optional().describe('What the agent answered; there once the task has succeeded.'),
  error: taskErrorSchema.optional().describe('Why the task did not succeed: a stable code, and a sentence to read.'),
  usage: usageSchema.optional().describe('What all attempts together used up. Cost in US dollars.'),
  models: z
    .record(z.string(), z.number().int().positive())
    .optional()
    .describe('Models that answered, by their ids, with how often. Absent when none was asked.'),
  links,
});
export type TaskResponse = z.infer<typeof taskResponseSchema>;

/** Any 4xx or 5xx. `details` names the field (a JSON path) for 400. */
export const errorResponseSchema = z.strictObject({
  error: z.strictObject({
    code: z.enum(HttpErrorCode),
    message: z.string(),
    details: z
      .array(z.strictObject({ path: z.string(), message: z.string() }))
      .optional()
      .describe('The wrong fields, each by its JSON path.'),
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
    thumb: z.enum(['up', 'down']).optional().describe('Up counts as score 1, down as 0.'),
    score: z.number().min(0).max(1).optional().describe('How good the result is. Counts more than the thumb.'),
    comment: z.string().max(MAX_COMMENT_LENGTH).optional(),
    user: z
      .string()
      .min(1)
      .max(256)
      .optional()
      .describe("Who judges. Default: the task's user. With a token, its `sub` judges."),
  })
  .refine(({ thumb, score }) => thumb !== undefined || score !== undefined, 'must have thumb or score');
export type FeedbackRequest = z.infer<typeof feedbackRequestSchema>;

/** `200 OK` of `POST /tasks/{id}/feedback`. */
export const feedbackResponseSchema = z.strictObject({
  id: z.string().regex(TASK_ID_PATTERN),
  score: z.number().min(0).max(1).describe("As it counts: the score if given, else the thumb's."),
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
export type FeedbackItem = z.infer<typeof feedbackItemSchema>;

export const TASKS_PATH = '/tasks';

/** Below a task's path. */
export const FEEDBACK_PATH = '/feedback';
