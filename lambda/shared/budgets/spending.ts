import { BUDGET_WARN_PERCENT, BudgetMetric, type TaskRecord, type Usage } from '../../../lib/contract';
import { messageOf } from '../errors';
import type { MetricEmitter, MetricValue } from '../telemetry/emf';
import type { Log } from '../telemetry/logger';
import type { BudgetBook, UsedShares } from './budget-book';

export interface SpendingDeps {
  readonly book: BudgetBook;
  readonly metrics: MetricEmitter;
}

/**
 * Counts what tasks cost against the budgets of the day on which an attempt ended. To be called once the record holds the
 * task's usage: what the record said before is what was counted before, so that whatever attempts do (crash, lose their
 * lease, find steps paid for), each dollar that a record tells of is counted by the attempt that wrote it.
 *
 * Not exact, on purpose: a worker that dies between the two writes leaves an attempt uncounted, and an addition whose
 * answer was lost is repeated.
 */
export class Spending {
  readonly #deps: SpendingDeps;

  constructor(deps: SpendingDeps) {
    this.#deps = deps;
  }

  /** A task is kept waiting for a budget. */
  refused(): void {
    this.#deps.metrics.count(BudgetMetric.EXCEEDED);
  }

  /** Does not reject: a task is not held up by its bookkeeping. @param task as it was claimed */
  async count(task: TaskRecord, usage: Usage, logger: Log): Promise<void> {
    const dollars = usage.cost - (task.usage?.cost ?? 0);
    if (dollars <= 0) {
      return;
    }
    try {
      const used = await this.#deps.book.spend(task.mode === 'live' ? task.user : undefined, dollars);
      this.#deps.metrics.emit(usedShareMetrics(used));
      if ((used.user ?? 0) >= BUDGET_WARN_PERCENT) {
        // The alarm cannot say whose it is: users are no dimension. The record of the task says who asked for it.
        logger.warn("the budget of the task's user is nearly used up", {
          component: 'budget',
          outcome: 'nearly_used_up',
          percent: Math.round(used.user ?? 0),
        });
      }
    } catch (error) {
      logger.warn('what the attempt cost was not counted against the budgets', {
        component: 'budget',
        outcome: 'error',
        dollars,
        reason: messageOf(error),
      });
    }
  }
}

/** Metrics of the budgets in use; none for a budget that does not exist. */
export function usedShareMetrics({ agent, user }: UsedShares): readonly MetricValue[] {
  return [
    { name: BudgetMetric.AGENT_USED, value: agent, unit: 'Percent' } as const,
    { name: BudgetMetric.USER_USED, value: user, unit: 'Percent' } as const,
  ].flatMap(({ value, ...metric }) => (value === undefined ? [] : [{ ...metric, value }]));
}
