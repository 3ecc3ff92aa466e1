import type { Json, Priority } from '../../lib/contract';

/** A request for a task, from whichever door it came, checked. */
export interface Submission {
  readonly input: Json;
  readonly user: string;
  readonly session?: string;
  readonly priority: Priority;
  readonly idempotencyKey?: string;
  /** X-Ray trace header to hand on. */
  readonly traceHeader?: string;
}
