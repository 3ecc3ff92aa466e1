import * as z from 'zod';
import { payloadRefSchema } from './payloads';
import { RELEASE_ID_PATTERN } from './release';
import { usageSchema } from './task';

export const JOURNAL_KINDS = ['step', 'tool', 'model'] as const;
export type JournalKind = (typeof JOURNAL_KINDS)[number];

/** What a journal key begins with. The key is unique within its task; the whole grammar is here. */
export const JournalKeyPrefix = {
  /** `step:<name>`, the name as the agent chose it. */
  STEP: 'step:',
  /** `flag:<name>`, kind `step`: the value that the task met first. */
  FLAG: 'flag:',
  /** `tool:<name>:<digest of the input>#<n>`. */
  TOOL: 'tool:',
  /** `model:<digest of the request>#<n>`. */
  MODEL: 'model:',
  /** `usage:<attempt>#<n>`, kind `model`: a model call that the agent made itself and reported. */
  USAGE: 'usage:',
} as const;

/**
 * Item {@link TaskKey.step}: one step, tool call or model call of a task. An attempt may run it only while the item is
 * absent, or `started` by an attempt no later than itself; it is written `finished` under the same condition. The first
 * attempt writes no `started`: no earlier attempt can have run the step.
 */
export const journalEntrySchema = z.object({
  /** See {@link JournalKeyPrefix}. */
  key: z.string().min(1),
  kind: z.enum(JOURNAL_KINDS),
  name: z.string(),
  state: z.enum(['started', 'finished']),
  /** Attempt that started or finished the step. */
  attempt: z.number().int().positive(),
  /** Lease token of that attempt. */
  token: z.string(),
  /** Release of that attempt. */
  release: z.string().regex(RELEASE_ID_PATTERN),
  /** Position among the steps of the attempt, from 0. */
  order: z.number().int().nonnegative(),
  /** Time of start or finish. Milliseconds since 1970. */
  at: z.number(),
  /** Digest of the input, if the step has one. */
  inputDigest: z.string().optional(),
  /** Key of the enclosing step. */
  parent: z.string().optional(),
  /**
   * The value's JSON, as text: DynamoDB returns the members of an object in any order, and a prompt made from them would
   * differ. Absent for a value in the bucket, and for a step without a value (undefined).
   */
  json: z.string().optional(),
  ref: payloadRefSchema.optional(),
  /** Model calls: id of the model that answered. */
  model: z.string().optional(),
  /** Model calls: their usage. */
  usage: usageSchema.optional(),
  /** Time to live: seconds since 1970. */
  expiresAt: z.number().int(),
});
export type JournalEntry = z.infer<typeof journalEntrySchema>;
