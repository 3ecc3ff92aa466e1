import * as z from 'zod';
import { rolloutTargetSchema } from './release';
import { USER_BUCKETS, userBucketOf } from './user-buckets';

/** The user's bucket during the shift to a router version. The version is in the salt: each shift starts with other users. */
export function valveBucketOf(agent: string, shiftVersion: string, user: string): number {
  return userBucketOf([agent, shiftVersion], user);
}

/**
 * Whether a valve that is open by `weight` (0 to 1) routes the bucket to the candidate lane. Buckets are integers, so the
 * weight is rounded to one: 0.07 × 10,000 is a little more than 700 in floating point, and must not include bucket 700.
 */
export function isLetThrough(weight: number, bucket: number): boolean {
  return bucket < Math.round(weight * USER_BUCKETS);
}

/** Item {@link ControlKey.promoted}. */
export const promotedItemSchema = z.object({
  target: rolloutTargetSchema,
  promotedAt: z.number(),
});
export type PromotedItem = z.infer<typeof promotedItemSchema>;

/** Item {@link ControlKey.rollout}. */
export const rolloutItemSchema = z.object({
  id: z.string().min(1),
  target: rolloutTargetSchema,
  /** `rolled_back` is written when CloudFormation rolls the release record back to the promoted release. */
  status: z.enum(['in_progress', 'promoted', 'rolled_back']),
  startedAt: z.number(),
  endedAt: z.number().optional(),
  /** The rollout was rolled back and its running tasks must be requeued: workers see it at their next heartbeat. */
  revoked: z.boolean().optional(),
});
export type RolloutItem = z.infer<typeof rolloutItemSchema>;

/** State of the router's alias: its version, and the version that it shifts to with its weight (0 to 1). */
export const aliasSnapshotSchema = z.strictObject({
  version: z.string().min(1),
  shift: z.strictObject({ version: z.string().min(1), weight: z.number().min(0).max(1) }).optional(),
});
export type AliasSnapshot = z.infer<typeof aliasSnapshotSchema>;

/**
 * Item {@link ControlKey.valve}. Before `effectiveAt` every router uses `previous`, from then on `current`: the valve opens at
 * one time for all of them, although each reads the item at another time.
 */
export const valveItemSchema = z.object({
  /** Rollout that the snapshot belongs to; routers ignore a snapshot of another rollout. */
  rolloutId: z.string(),
  current: aliasSnapshotSchema,
  previous: aliasSnapshotSchema,
  effectiveAt: z.number(),
  checkedAt: z.number(),
  /** Number of writes; each write is conditional on the previous number. */
  sequence: z.number().int().nonnegative(),
});
export type ValveItem = z.infer<typeof valveItemSchema>;
