import * as z from 'zod';
import { LANES, MODES, PRIORITIES } from './lanes';
import { RELEASE_ID_PATTERN } from './release';

export const TASK_STATUSES = ['queued', 'running', 'succeeded', 'failed', 'timed_out', 'cancelled'] as const;
export type TaskStatus = (typeof TASK_STATUSES)[number];

export const FINAL_STATUSES: readonly TaskStatus[] = ['succeeded', 'failed', 'timed_out', 'cancelled'];

/** `t-` and 32 hexadecimal digits. */
export const TASK_ID_PATTERN = /^t-[0-9a-f]{32}$/;

/** What a task used up. Costs in US dollars. */
export const usageSchema = z.strictObject({
  modelCalls: z.number().int().nonnegative(),
  toolCalls: z.number().int().nonnegative(),
  inputTokens: z.number().int().nonnegative(),
  outputTokens: z.number().int().nonnegative(),
  cost: z.number().nonnegative(),
});
export type Usage = z.infer<typeof usageSchema>;

/** Why a task did not succeed: a stable code, and a sentence that the caller may read. */
export const taskErrorSchema = z.strictObject({ code: z.string().min(1), message: z.string() });
export type TaskError = z.infer<typeof taskErrorSchema>;

/** The item of a task in the tasks table. Times are milliseconds since 1970. */
export const taskRecordSchema = z.object({
  id: z.string().regex(TASK_ID_PATTERN),
  agent: z.string(),
  status: z.enum(TASK_STATUSES),
  mode: z.enum(MODES),
  /** Stamped by the router when the task is accepted, never changed. */
  lane: z.enum(LANES),
  priority: z.enum(PRIORITIES),
  user: z.string(),
  session: z.string().optional(),
  /** Digest of the request: the same idempotency key with another digest is a conflict. */
  requestDigest: z.string(),
  input: z.json(),
  createdAt: z.number(),
  /** Written by the worker that claims the task. */
  release: z.string().regex(RELEASE_ID_PATTERN).optional(),
  attempts: z.number().int().nonnegative(),
  lease: z.strictObject({ token: z.string(), expiresAt: z.number() }).optional(),
  startedAt: z.number().optional(),
  finishedAt: z.number().optional(),
  result: z.json().optional(),
  error: taskErrorSchema.optional(),
  usage: usageSchema.optional(),
  score: z.number().min(0).max(1).optional(),
  /** X-Ray trace header under which the task ran. */
  trace: z.string().optional(),
  /** Time to live of the table: seconds since 1970. */
  expiresAt: z.number().int(),
});
export type TaskRecord = z.infer<typeof taskRecordSchema>;

/** Version of {@link envelopeSchema}. A worker refuses a version it does not know and leaves the message in the queue. */
export const ENVELOPE_VERSION = 1;

/** Body of a message in a lane's queue. The input stays in the task's item: a message is small whatever the task is. */
export const envelopeSchema = z.strictObject({
  version: z.literal(ENVELOPE_VERSION),
  agent: z.string(),
  taskId: z.string().regex(TASK_ID_PATTERN),
  lane: z.enum(LANES),
  priority: z.enum(PRIORITIES),
  mode: z.enum(MODES),
  user: z.string(),
});
export type Envelope = z.infer<typeof envelopeSchema>;
