export { BudgetAction, Budgets, type DailyBudgets } from './budgets';
export type { RateLimit } from './rate-limit';
