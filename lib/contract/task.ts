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

/** Why a task did not succeed: a stable code, and a message for the caller. */
export const taskErrorSchema = z.strictObject({ code: z.string().min(1), message: z.string() });
export type TaskError = z.infer<typeof taskErrorSchema>;

/** The item of a task in the tasks table. Times are milliseconds since 1970. */
export const taskRecordSchema = z.object({
  id: z.string().regex(TASK_ID_PATTERN),
  agent: z.string(),
  status: z.enum(TASK_STATUSES),
  mode: z.enum(MODES),
  /**
   * Written by the router when the task is accepted. Changed only when a worker requeues the task because its release was
   * revoked, and when an operator redrives a task.
   */
  lane: z.enum(LANES),
  priority: z.enum(PRIORITIES),
  user: z.string(),
  session: z.string().optional(),
  /** Digest of the request: the same idempotency key with another digest is a conflict. */
  requestDigest: z.string(),
  /** Absent when it is too large for the item: then `inputRef` has its location. */
  input: z.json().optional(),
  inputRef: payloadRefSchema.optional(),
  createdAt: z.number(),
  /** Time by which the task must have ended; after it, the task ends as timed_out. */
  deadlineAt: z.number().optional(),
  /** Receives a request when the task has ended. */
  webhook: z.strictObject({ url: z.string() }).optional(),
  /** When the webhook was delivered or abandoned. */
  webhookDeliveredAt: z.number().optional(),
  webhookAbandonedAt: z.number().optional(),
  /** Cancellation of the running task was requested; its worker sees it at its next heartbeat. */
  cancelRequestedAt: z.number().optional(),
  /** Written by the worker that claims the task. */
  release: z.string().regex(RELEASE_ID_PATTERN).optional(),
  /** Claims so far. Never decreases: it is the fencing token of the step journal. */
  attempts: z.number().int().nonnegative(),
  /** Attempts that do not count against the maximum: the task was requeued, or waited for a provider's rate limit. */
  uncounted: z.number().int().nonnegative().optional(),
  /** Uncounted attempts that waited for a provider's rate limit. Removed by a redrive. */
  waits: z.number().int().nonnegative().optional(),
  /** Total running time of ended attempts in milliseconds. */
  ranMs: z.number().nonnegative().optional(),
  /** Lease of the worker that runs the task. A requeued task keeps its last lease, expired. */
  lease: z.strictObject({ token: z.string(), expiresAt: z.number() }).optional(),
  /** Status before the last claim. `running`: the worker of the previous attempt is considered lost. */
  claimedFrom: z.enum(['queued', 'running']).optional(),
  startedAt: z.number().optional(),
  finishedAt: z.number().optional(),
  /** Token of the lease that finished the task, or `api` for a task that was cancelled while queued. */
  endedBy: z.string().optional(),
  /** The task failed at its last attempt: its message belongs to the dead-letter queue. */
  exhausted: z.boolean().optional(),
  /** Number of redrives from the dead-letter queue. */
  redrives: z.number().int().nonnegative().optional(),
  result: z.json().optional(),
  resultRef: payloadRefSchema.optional(),
  error: taskErrorSchema.optional(),
  usage: usageSchema.optional(),
  /** Number of answers by model id. */
  models: z.record(z.string(), z.number().int().positive()).optional(),
  score: z.number().min(0).max(1).optional(),
  /** Flags that the task read, with their values. */
  flags: z.record(z.string(), flagValueSchema).optional(),
  /** X-Ray trace header under which the task ran. */
  trace: z.string().optional(),
  /** Time to live of the table: seconds since 1970. */
  expiresAt: z.number().int(),
});
export type TaskRecord = z.infer<typeof taskRecordSchema>;

/** Version of {@link envelopeSchema}. A worker leaves messages of unknown versions in the queue. */
export const ENVELOPE_VERSION = 1;

/** Body of a message in a lane's queue. The input is not in it, so messages are always small. */
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
