import type { CloudEvent } from '../../cloud';
import type { DrillHistory } from '../report/history';
import type { Scenario } from '../scenario/scenario';

const BUDGET_ALARM = /BudgetAlarm/;

const DAY_MS = 86_400_000;

/**
 * Start of the cloud's time, in milliseconds since 1970; undefined: now. A drill of a daily budget starts at midnight, because
 * compressed time would soon reach the next day.
 */
export function cloudStartFor({ budget }: Scenario): number | undefined {
  return budget === undefined ? undefined : Math.floor(Date.now() / DAY_MS) * DAY_MS;
}

/** Records the calls to the provider, and whether the alarm of a budget fires. */
export class LimitWatch {
  readonly #calls: number[] = [];
  #alarmFired = false;

  readonly #now: () => number;

  /** @param now cloud time */
  constructor(now: () => number) {
    this.#now = now;
  }

  readonly onPrompt = (): void => {
    this.#calls.push(this.#now());
  };

  readonly onEvent = (event: CloudEvent): void => {
    this.#alarmFired ||= event.kind === 'alarm' && event.to === 'ALARM' && BUDGET_ALARM.test(event.name);
  };

  /** From then on tasks wait for the next day, so a large backlog does not indicate a slow machine. */
  get isBudgetNearlyExhausted(): boolean {
    return this.#alarmFired;
  }

  history({ rateLimit, budget }: Scenario): Pick<DrillHistory, 'rateLimit' | 'budget'> {
    return {
      ...(rateLimit === undefined ? {} : { rateLimit: { ...rateLimit, calls: this.#calls } }),
      ...(budget === undefined ? {} : { budget: { ...budget, alarmFired: this.#alarmFired } }),
    };
  }
}
