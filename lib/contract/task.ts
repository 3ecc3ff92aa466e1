import * as z from 'zod';
import { flagValueSchema } from './flags';
import { LANES, MODES, PRIORITIES } from './lanes';
import { payloadRefSchema } from './payloads';
import { RELEASE_ID_PATTERN } from './release';
import type { Usage } from './usage';

export const TASK_STATUSES = ['queued', 'running', 'succeeded', 'failed', 'timed_out', 'cancelled'] as const;
export type TaskStatus = (typeof TASK_STATUSES)[number];

export const FINAL_STATUSES: readonly TaskStatus[] = ['succeeded', 'failed', 'timed_out', 'cancelled'];

/** `t-` and 32 hexadecimal digits. */
export const TASK_ID_PATTERN = /^t-[0-9a-f]{32}$/;

export const usageSchema = z.strictObject({
  modelCalls: z.number().int().nonnegative(),
  toolCalls: z.number().int().nonnegative(),
  inputTokens: z.number().int().nonnegative(),
  outputTokens: z.number().int().nonnegative(),
  cost: z.number().nonnegative(),
}) satisfies z.ZodType<Usage>;

export const usageFields = Object.keys(usageSchema.shape) as readonly (keyof Usage)[];

/** Why a task did not succeed: a stable code, and a sentence that the caller may read. */
export const taskErrorSchema = z.strictObject({ code: z.string().min(1), message: z.string() });
export type TaskError = z.infer<typeof taskErrorSchema>;

/** The item of a task in the tasks table. Times are milliseconds since 1970. */
export const taskRecordSchema = z.object({
  id: z.string().regex(TASK_ID_PATTERN),
  agent: z.string(),
  status: z.enum(TASK_STATUSES),
  mode: z.enum(MODES),
  /**
   * Stamped by the router when the task is accepted. Changed only when a worker hands the task back because its release
   * was revoked, and when an operator sends a dead task back.
   */
  lane: z.enum(LANES),
  priority: z.enum(PRIORITIES),
  user: z.string(),
  session: z.string().optional(),
  /** Digest of the request: the same idempotency key with another digest is a conflict. */
  requestDigest: z.string(),
  /** Absent when it is too large for the item: then `inputRef` says where it is. */
  input: z.json().optional(),
  inputRef: payloadRefSchema.optional(),
  createdAt: z.number(),
  /** Moment by which the task must have ended; past it, it ends as timed_out. Milliseconds since 1970. */
  deadlineAt: z.number().optional(),
  /** Where the caller wants to hear of the task's end. */
  webhook: z.strictObject({ url: z.string() }).optional(),
  /** The webhook was delivered then, or given up. */
  webhookDeliveredAt: z.number().optional(),
  webhookAbandonedAt: z.number().optional(),
  /** Somebody asked for the running task to be cancelled; its worker sees it at its next heartbeat. */
  cancelRequestedAt: z.number().optional(),
  /** Written by the worker that claims the task. */
  release: z.string().regex(RELEASE_ID_PATTERN).optional(),
  /** Claims so far. Grows by one with each and never shrinks: it is the fence of the step journal. */
  attempts: z.number().int().nonnegative(),
  /** Attempts that do not count against the most that a task gets: handed back, or kept waiting by a provider's limit. */
  uncounted: z.number().int().nonnegative().optional(),
  /** Of the uncounted: those in which a provider's limit made the task wait. Goes when an operator sends the task back. */
  waits: z.number().int().nonnegative().optional(),
  /** Milliseconds that ended attempts ran. */
  ranMs: z.number().nonnegative().optional(),
  /** Of the worker that has the task. A queued task keeps the lease under which it was given back, run out. */
  lease: z.strictObject({ token: z.string(), expiresAt: z.number() }).optional(),
  /** Status in which the last claim found the task. `running`: the worker of the attempt before it is taken for gone. */
  claimedFrom: z.enum(['queued', 'running']).optional(),
  startedAt: z.number().optional(),
  finishedAt: z.number().optional(),
  /** Token of the lease under which the end was written, or `api` for a task cancelled in its queue. */
  endedBy: z.string().optional(),
  /** Failed after its last attempt, so its message belongs into the dead-letter queue. */
  exhausted: z.boolean().optional(),
  /** Times that an operator sent the task back from the dead-letter queue. */
  redrives: z.number().int().nonnegative().optional(),
  result: z.json().optional(),
  resultRef: payloadRefSchema.optional(),
  error: taskErrorSchema.optional(),
  usage: usageSchema.optional(),
  /** Models that answered, with how often. */
  models: z.record(z.string(), z.number().int().positive()).optional(),
  score: z.number().min(0).max(1).optional(),
  /** Flags that the task met, with what they said to it. */
  flags: z.record(z.string(), flagValueSchema).optional(),
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
