export { BudgetAction, Budgets, type DailyBudgetOptions } from './budgets';
export type { RateLimit } from './rate-limit';
