import * as z from 'zod';
import { HttpErrorCode } from './error-codes';
import { PRIORITIES } from './lanes';
import { MAX_PAYLOAD_BYTES } from './payloads';
import { TASK_ID_PATTERN, TASK_STATUSES, taskErrorSchema, usageSchema } from './task';
import { DAY_SECONDS } from './time';

/** Largest request body that intake accepts, in bytes. Input past {@link MAX_INLINE_BYTES} goes to the payload bucket. */
export const MAX_REQUEST_BYTES = MAX_PAYLOAD_BYTES;

/** Maximum of `timeoutSeconds`: half of the 14 days for which queues keep messages. */
export const MAX_TIMEOUT_SECONDS = 7 * DAY_SECONDS;

/** Maximum length of a comment on a result, in characters. */
export const MAX_COMMENT_LENGTH = 4_000;

/** Request header with the idempotency key. Producers on the inbox queue send the field `idempotencyKey`. */
export const IDEMPOTENCY_HEADER = 'idempotency-key';

const key = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[\x21-\x7e]+$/, 'must be 1 to 256 printable ASCII characters without spaces');

/** Body of `POST /tasks`, and of a message in the inbox queue. */
export const submitRequestSchema = z.strictObject({
  input: z.json().describe("Input of the agent. The worker validates it against the agent's schema."),
  user: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .describe(
      'User of the task: rollouts are sticky per user. With a token, its `sub` is the user, and this field is optional; if given, it must be the same. With signed requests it is required.',
    ),
  session: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .describe('Conversation that the task belongs to: the key of the session state.'),
  priority: z.enum(PRIORITIES).optional().describe('Priority of the task. Default: normal.'),
  timeoutSeconds: z
    .number()
    .int()
    .min(1)
    .max(MAX_TIMEOUT_SECONDS)
    .optional()
    .describe('Seconds from acceptance after which the task ends as timed_out, queued or running.'),
  webhook: z
    .strictObject({
      url: z
        .url({ protocol: /^https?$/ })
        .max(2048)
        .describe('https URL with a public address, without user name and password.'),
    })
    .optional()
    .describe('Receives a signed request when the task has ended. Only for agents that are deployed with webhooks.'),
  idempotencyKey: key
    .optional()
    .describe('Requests of one user with the same key create one task. Alternative to the header `Idempotency-Key`.'),
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
  release: z.string().optional().describe('Release of the agent that ran the task, or runs it now.'),
  createdAt: time,
  startedAt: time.optional(),
  finishedAt: time.optional(),
  deadline: time.optional().describe('Time by which the task must have ended.'),
  attempts: z.number().int().nonnegative().describe('Number of attempts so far.'),
  cancelRequested: z.literal(true).optional().describe('Cancellation of the running task was requested.'),
  queue: z
    .strictObject({
      backlog: z.number().int().nonnegative().describe("Tasks that wait in the task's queue, this one included."),
      oldestSeconds: z.number().nonnegative().optional().describe('Age of the oldest of them, in seconds.'),
      asOf: time,
    })
    .optional()
    .describe('Backlog in front of a queued task. Approximate; absent when it is not known.'),
  result: z.json().optional().describe('Result of the agent; present when the task has succeeded.'),
  error: taskErrorSchema.optional().describe('Why the task did not succeed: a stable code, and a message for people.'),
  usage: usageSchema.optional().describe('Usage of all attempts together. Cost in US dollars.'),
  models: z
    .record(z.string(), z.number().int().positive())
    .optional()
    .describe('Number of answers by model id. Absent when no model answered.'),
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
      .describe('The invalid fields, each by its JSON path.'),
  }),
});
export type ErrorResponse = z.infer<typeof errorResponseSchema>;

/** `200 OK` (cancelled) or `202 Accepted` (the worker sees it at its next heartbeat) of `DELETE /tasks/{id}`. */
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
    score: z.number().min(0).max(1).optional().describe('Quality of the result. Takes precedence over the thumb.'),
    comment: z.string().max(MAX_COMMENT_LENGTH).optional(),
    user: z
      .string()
      .min(1)
      .max(256)
      .optional()
      .describe("User who gives the feedback. Default: the task's user. With a token, its `sub`."),
  })
  .refine(({ thumb, score }) => thumb !== undefined || score !== undefined, 'must have thumb or score');
export type FeedbackRequest = z.infer<typeof feedbackRequestSchema>;

/** `200 OK` of `POST /tasks/{id}/feedback`. */
export const feedbackResponseSchema = z.strictObject({
  id: z.string().regex(TASK_ID_PATTERN),
  score: z.number().min(0).max(1).describe('Score as stored: the score if given, else that of the thumb.'),
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

/** Path of the tasks. */
export const TASKS_PATH = '/tasks';

/** Path below a task's path. */
export const FEEDBACK_PATH = '/feedback';
