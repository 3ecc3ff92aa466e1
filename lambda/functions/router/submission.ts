import type { Json, Priority } from '../../../lib/contract';

/** A request for a task, from whichever door it came, checked. */
export interface Submission {
  readonly input: Json;
  readonly user: string;
  readonly session?: string;
  readonly priority: Priority;
  /** Seconds from acceptance by which the task must have ended. */
  readonly timeoutSeconds?: number;
  readonly webhook?: { readonly url: string };
  readonly idempotencyKey?: string;
  /** X-Ray trace header to hand on. */
  readonly traceHeader?: string;
}
