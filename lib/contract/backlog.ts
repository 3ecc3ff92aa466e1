import * as z from 'zod';
import { LANES, PRIORITIES } from './lanes';

/** Snapshot of one queue. */
export const queueBacklogSchema = z.strictObject({
  /** Visible messages. Approximate. */
  waiting: z.number().int().nonnegative(),
  /** Messages that a worker received and did not delete yet, and delayed ones. Approximate. */
  inFlight: z.number().int().nonnegative(),
  /** Age of the oldest visible message in seconds: the latest value in CloudWatch. Absent: no value. */
  oldestSeconds: z.number().nonnegative().optional(),
});
export type QueueBacklog = z.infer<typeof queueBacklogSchema>;

/** Item `ControlKey.backlog`: written by the first function that finds it too old, read by all. */
export const backlogItemSchema = z.object({
  takenAt: z.number(),
  /** Number of writes; each write is conditional on the previous number. */
  sequence: z.number().int().nonnegative(),
  queues: z.record(z.enum(LANES), z.record(z.enum(PRIORITIES), queueBacklogSchema)),
});
export type BacklogItem = z.infer<typeof backlogItemSchema>;

/** `Env.BACKLOG_LIMITS`: age of the oldest message, in seconds, past which the router refuses tasks of a priority. */
export const backlogLimitsSchema = z.record(z.enum(PRIORITIES), z.number().positive());
export type BacklogLimitSeconds = z.infer<typeof backlogLimitsSchema>;
