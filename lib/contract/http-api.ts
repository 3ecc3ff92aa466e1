import * as z from 'zod';
import { PRIORITIES } from './lanes';
import { TASK_ID_PATTERN, TASK_STATUSES, taskErrorSchema, usageSchema } from './task';

/**
 * Largest request body that intake accepts, in bytes. A task's item must fit in a DynamoDB item of 400 KB together with
 * its result (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html).
 */
export const MAX_REQUEST_BYTES = 128 * 1024;

/** Largest result that is kept inline, in bytes of JSON. */
export const MAX_RESULT_BYTES = 192 * 1024;

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
      'too_large',
      'not_found',
      'forbidden',
      'unavailable',
      'internal',
    ]),
    message: z.string(),
    details: z.array(z.strictObject({ path: z.string(), message: z.string() })).optional(),
  }),
});
export type ErrorResponse = z.infer<typeof errorResponseSchema>;

export const TASKS_PATH = '/tasks';
