import * as z from 'zod';
import { MODEL_PROVIDERS } from './release';

/** `Env.RATE_LIMITS`: limits of one provider, shared by all workers of all lanes of the agent. */
export const rateLimitSchema = z.strictObject({
  requestsPerMinute: z.number().positive().optional(),
  tokensPerMinute: z.number().positive().optional(),
});
export const rateLimitsSchema = z.partialRecord(z.enum(MODEL_PROVIDERS), rateLimitSchema);
export type RateLimits = z.infer<typeof rateLimitsSchema>;

/** Percent of a budget at which its alarm fires. */
export const BUDGET_WARN_PERCENT = 80;

/** `Env.BUDGETS`: US dollars per day (UTC). */
export const budgetsSchema = z.strictObject({
  agentPerDay: z.number().positive().optional(),
  userPerDay: z.number().positive().optional(),
  /** New tasks past a budget: `refuse` answers 429, `queue` accepts them to run the next day. */
  onExceeded: z.enum(['refuse', 'queue']),
});
export type BudgetSettings = z.infer<typeof budgetsSchema>;
