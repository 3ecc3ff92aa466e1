import * as z from 'zod';

/** One entry of the append-only audit trail in the control table. */
export const auditEntrySchema = z.object({
  at: z.string(),
  agent: z.string(),
  action: z.enum(['release_recorded', 'rollout_started', 'rollout_rolled_back', 'release_promoted', 'task_redriven']),
  /** Absent for actions that concern tasks of several releases. */
  release: z.string().optional(),
  /** The author of the revision, if known, and the stack operation that deployed it. */
  actor: z.string(),
  /** Free text. */
  reason: z.string(),
  details: z.record(z.string(), z.json()).optional(),
});
export type AuditEntry = z.infer<typeof auditEntrySchema>;
