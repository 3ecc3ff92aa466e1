import * as z from 'zod';
import { LANES, PRIORITIES, RELEASE_ID_PATTERN, TASK_ID_PATTERN, TASK_STATUSES } from '../../../lib/contract';

/** Which of the tasks in the dead-letter queues are meant: those that fit everything given. */
export const redriveFilterSchema = z.strictObject({
  /** Lane in whose dead-letter queue the task is. */
  lane: z.enum(LANES).optional(),
  priority: z.enum(PRIORITIES).optional(),
  /** Code of the error that the task failed with. */
  code: z.string().min(1).optional(),
  /** Release that ran the task last. */
  release: z.string().regex(RELEASE_ID_PATTERN).optional(),
  user: z.string().min(1).optional(),
  task: z.array(z.string().regex(TASK_ID_PATTERN)).min(1).max(1_000).optional(),
  /** Minimum time since the failure. */
  olderThanSeconds: z.number().int().nonnegative().optional(),
  /** Maximum number of tasks. */
  limit: z.number().int().positive().optional(),
});
export type RedriveFilter = z.infer<typeof redriveFilterSchema>;

/** What the redrive function is invoked with. */
export const redriveRequestSchema = z.strictObject({
  action: z.enum(['list', 'redrive']),
  filter: redriveFilterSchema.default({}),
  /** Reports what `redrive` would do, and changes nothing. */
  dryRun: z.boolean().default(false),
  /** Who asks, for the audit trail. CloudTrail knows it for certain. */
  by: z.string().min(1).max(256).optional(),
});
export type RedriveRequest = z.infer<typeof redriveRequestSchema>;

/**
 * What `redrive` does with a task and its message: the task goes to its queue again; its message alone is removed, for
 * there is nothing to run; or both are left, because the function cannot tell what the message is.
 */
export const FATES = ['redrive', 'remove', 'leave'] as const;
export type Fate = (typeof FATES)[number];

/** One task (or unreadable message) that was found. Times are ISO 8601 in UTC. */
export const deadEntrySchema = z.strictObject({
  /** Lane in whose dead-letter queue it is. */
  lane: z.enum(LANES),
  message: z.string(),
  task: z.string().optional(),
  priority: z.enum(PRIORITIES).optional(),
  user: z.string().optional(),
  /** Absent: there is no record of the task. */
  status: z.enum(TASK_STATUSES).optional(),
  error: z.strictObject({ code: z.string(), message: z.string() }).optional(),
  release: z.string().optional(),
  attempts: z.number().optional(),
  redrives: z.number().optional(),
  createdAt: z.string().optional(),
  finishedAt: z.string().optional(),
  fate: z.enum(FATES),
  /** Why it is not redriven. */
  reason: z.string().optional(),
  /** The fate has come true. */
  done: z.boolean(),
  /** Lane that it was sent to. */
  sentTo: z.enum(LANES).optional(),
  /** Why it could not be done; asking again may help. */
  problem: z.string().optional(),
});
export type DeadEntry = z.infer<typeof deadEntrySchema>;

/** What the redrive function answers. */
export const redriveAnswerSchema = z.strictObject({
  entries: z.array(deadEntrySchema),
  totals: z.strictObject({
    /** Messages that were read, whether they fit the filter or not. */
    read: z.number(),
    /** Further messages of tasks that were read already. */
    duplicates: z.number(),
    redriven: z.number(),
    removed: z.number(),
    failed: z.number(),
    /** Messages that another reader or an earlier call holds: they can be read a few minutes later. */
    hidden: z.number(),
  }),
  /** Not everything was read, for want of time or room in the answer: ask again at once for what is left. */
  more: z.boolean(),
});
export type RedriveAnswer = z.infer<typeof redriveAnswerSchema>;
