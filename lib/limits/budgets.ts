import { Token } from 'aws-cdk-lib';
import { describeValue } from '../common';
import { laneError } from '../common/errors';
import type { BudgetSettings } from '../contract';

/** What happens to new tasks when a budget is used up. */
export enum BudgetAction {
  /** They are refused with 429 `budget_exceeded` and `Retry-After`. */
  REFUSE = 'refuse',
  /** They are accepted, and wait in their queue until the next day. */
  QUEUE = 'queue',
}

/** Options of {@link Budgets.perDay}: at least one budget. */
export interface DailyBudgetOptions {
  /**
   * US dollars that all tasks of the agent together may cost a day: more than 0.
   *
   * @default - no such budget
   */
  readonly agent?: number;

  /**
   * US dollars that the tasks of each user may cost a day: more than 0.
   *
   * @default - no such budget
   */
  readonly user?: number;

  /**
   * What happens to new tasks when a budget is used up. Running tasks wait at their next model call in either case, and
   * continue the next day.
   *
   * @default BudgetAction.REFUSE
   */
  readonly onExceeded?: BudgetAction;
}

/** Budgets of an agent and its users, beside that of a single task (`TaskLimits.maxCost`). */
export class Budgets {
  /** For each day, from midnight to midnight UTC. */
  static perDay(options: DailyBudgetOptions): Budgets {
    for (const name of ['agent', 'user'] as const) {
      const value = options[name];
      if (value !== undefined && (Token.isUnresolved(value) || !(value > 0 && Number.isFinite(value)))) {
        throw laneError(
          undefined,
          'InvalidBudget',
          `budget per day, ${name}, must be US dollars above 0, got ${describeValue(value)}; leave it out for no budget`,
        );
      }
    }
    if (options.agent === undefined && options.user === undefined) {
      throw laneError(undefined, 'MissingBudget', 'Budgets.perDay has neither agent nor user, expected at least one');
    }
    return new Budgets(options);
  }

  private constructor(
    /** The options. */
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
