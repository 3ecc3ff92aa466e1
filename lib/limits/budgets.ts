import { Token } from 'aws-cdk-lib';
import { describeValue } from '../common';
import { laneError } from '../common/errors';
import type { BudgetSettings } from '../contract';

/** What becomes of new tasks once a budget is used up. */
export enum BudgetAction {
  /** They are answered 429 `budget_exceeded`, with `Retry-After`. */
  REFUSE = 'refuse',
  /** They are accepted, and wait in their queue for the next day. */
  QUEUE = 'queue',
}

export interface DailyBudgetOptions {
  /**
   * US dollars that all tasks of the agent may cost a day.
   *
   * @default - no such budget
   */
  readonly agent?: number;

  /**
   * US dollars that the tasks of any one user may cost a day.
   *
   * @default - no such budget
   */
  readonly user?: number;

  /**
   * What becomes of new tasks past a budget. Tasks that run already wait at their next model call in either case, and go on
   * the next day.
   *
   * @default BudgetAction.REFUSE
   */
  readonly onExceeded?: BudgetAction;
}

/** Budgets beyond that of a single task (`Limits.maxCost`). */
export class Budgets {
  /** For each day anew, from midnight to midnight UTC. */
  static perDay(budgets: DailyBudgetOptions): Budgets {
    for (const name of ['agent', 'user'] as const) {
      const value = budgets[name];
      if (value !== undefined && (Token.isUnresolved(value) || !(value > 0 && Number.isFinite(value)))) {
        throw laneError(
          undefined,
          'InvalidBudget',
          `budget per day, ${name}, must be US dollars above 0, got ${describeValue(value)}; leave it out for no budget`,
        );
      }
    }
    if (budgets.agent === undefined && budgets.user === undefined) {
      throw laneError(undefined, 'MissingBudget', 'Budgets.perDay has neither agent nor user, expected at least one');
    }
    return new Budgets(budgets);
  }

  private constructor(
    /** As they were given. */
    readonly daily: DailyBudgetOptions,
  ) {}

  /** @internal */
  _settings(): BudgetSettings {
    const { agent, user, onExceeded } = this.daily;
    return {
      agentPerDay: agent,
      userPerDay: user,
      onExceeded: onExceeded ?? BudgetAction.REFUSE,
    };
  }
}
