import * as z from 'zod';
import { RELEASE_ID_PATTERN } from './release';

/** One check of a probe. */
export const probeCheckSchema = z.strictObject({
  /** `behavior`, `settings` for an agent with settings, `secret:<name>`, `sessions`, and `agent` or `model`. */
  name: z.string().min(1),
  ok: z.boolean(),
  durationMs: z.number().nonnegative(),
  /** Why it failed; absent for a passed check. */
  message: z.string().optional(),
});
export type ProbeCheck = z.infer<typeof probeCheckSchema>;

/**
 * `result` of a task with mode `probe`. The task is `succeeded` if every check passed, else `failed` with code
 * `probe_failed`; both have the checks.
 */
export const probeResultSchema = z.strictObject({
  release: z.string().regex(RELEASE_ID_PATTERN),
  checks: z.array(probeCheckSchema),
});
export type ProbeResult = z.infer<typeof probeResultSchema>;
