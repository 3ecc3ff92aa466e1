import * as z from 'zod';
import { MODEL_PROVIDERS } from './release';

/** `Env.RATE_LIMITS`: what a provider allows, shared by all workers of all lanes of the agent. */
export const rateLimitSchema = z.strictObject({
  requestsPerMinute: z.number().positive().optional(),
  tokensPerMinute: z.number().positive().optional(),
});
export const rateLimitsSchema = z.partialRecord(z.enum(MODEL_PROVIDERS), rateLimitSchema);
export type RateLimits = z.infer<typeof rateLimitsSchema>;

/** Percent of a budget at which people are told. */
export const BUDGET_WARN_PERCENT = 80;

/** `Env.BUDGETS`: US dollars for a day (UTC). */
export const budgetsSchema = z.strictObject({
  agentPerDay: z.number().positive().optional(),
  userPerDay: z.number().positive().optional(),
  /** Of new tasks past a budget: `refuse` answers 429, `queue` accepts them and lets them wait for the next day. */
  onExceeded: z.enum(['refuse', 'queue']),
});
export type BudgetSettings = z.infer<typeof budgetsSchema>;
