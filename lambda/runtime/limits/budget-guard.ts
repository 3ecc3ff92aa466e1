import { type Mode, RuntimeErrorCode } from '../../../lib/contract';
import type { BudgetBook } from '../../shared/budgets/budget-book';
import { messageOf } from '../../shared/errors';
import type { AgentLogger } from '../agent';
import { ThrottledError } from '../errors';

/** Checks the budgets of the day before a model call. */
export class BudgetGuard {
  readonly #book: Pick<BudgetBook, 'exceeded'>;

  constructor(book: Pick<BudgetBook, 'exceeded'>) {
    this.#book = book;
  }

  /**
   * Budgets that cannot be read block nothing: the limits of the task and of the providers still apply.
   *
   * @param own US dollars that the attempt has spent so far
   * @throws ThrottledError `budget_exceeded` when a budget is used up: the task waits until the next day
   */
  async check(user: string, mode: Mode, own: number, logger: AgentLogger): Promise<void> {
    if (mode === 'probe') {
      return;
    }
    let exceeded: Awaited<ReturnType<BudgetBook['exceeded']>>;
    try {
      exceeded = await this.#book.exceeded(mode === 'live' ? user : undefined, own);
    } catch (error) {
      logger.warn('the budgets could not be read; the task continues without them', {
        component: 'budget',
        outcome: 'error',
        reason: messageOf(error),
      });
      return;
    }
    if (exceeded !== undefined) {
      throw new ThrottledError(exceeded.message, {
        code: RuntimeErrorCode.BUDGET_EXCEEDED,
        retryAfterMs: exceeded.endsInMs,
      });
    }
  }
}
