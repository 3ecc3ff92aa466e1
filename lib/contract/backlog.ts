import * as z from 'zod';
import { LANES, PRIORITIES } from './lanes';

/** One queue at one moment. */
export const queueBacklogSchema = z.strictObject({
  /** Messages that wait. Approximate. */
  waiting: z.number().int().nonnegative(),
  /** Messages in the hands of workers, or delayed. Approximate. */
  inFlight: z.number().int().nonnegative(),
  /** Age of the oldest message that waits, in seconds, as CloudWatch last knew it. Absent: not known. */
  oldestSeconds: z.number().nonnegative().optional(),
});
export type QueueBacklog = z.infer<typeof queueBacklogSchema>;

/** Item `ControlKey.backlog`: taken by whichever function first finds it old, shared by all. */
export const backlogItemSchema = z.object({
  takenAt: z.number(),
  /** Counts writes; each is conditional on the one before. */
  sequence: z.number().int().nonnegative(),
  queues: z.record(z.enum(LANES), z.record(z.enum(PRIORITIES), queueBacklogSchema)),
});
export type BacklogItem = z.infer<typeof backlogItemSchema>;

/** `Env.BACKLOG_LIMITS`: age of the oldest message, in seconds, past which intake refuses tasks of a priority. */
export const backlogLimitsSchema = z.record(z.enum(PRIORITIES), z.number().positive());
export type BacklogLimitSeconds = z.infer<typeof backlogLimitsSchema>;
