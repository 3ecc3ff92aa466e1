import type { CloudEvent } from '../../cloud';
import type { DrillHistory } from '../report/history';
import type { Scenario } from '../scenario/scenario';

const BUDGET_ALARM = /BudgetAlarm/;

const DAY_MS = 86_400_000;

/**
 * When the cloud's time begins. A budget is one of a day, and compressed time soon comes to midnight: a drill of a budget
 * begins when the day does. Milliseconds since 1970; undefined: now.
 */
export function cloudStartFor({ budget }: Scenario): number | undefined {
  return budget === undefined ? undefined : Math.floor(Date.now() / DAY_MS) * DAY_MS;
}

/** Sees when the provider is called, and whether the alarm of a budget fires. */
export class LimitWatch {
  readonly #calls: number[] = [];
  #alarmFired = false;

  /** @param now cloud time */
  constructor(private readonly now: () => number) {}

  readonly onPrompt = (): void => {
    this.#calls.push(this.now());
  };

  readonly onEvent = (event: CloudEvent): void => {
    this.#alarmFired ||= event.kind === 'alarm' && event.to === 'ALARM' && BUDGET_ALARM.test(event.name);
  };

  /** From then on tasks wait for the next day, and more of them are no sign of a slow machine. */
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
