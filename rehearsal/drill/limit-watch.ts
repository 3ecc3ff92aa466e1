import type { CloudEvent } from '../cloud';
import type { DrillHistory } from './history';
import type { Scenario } from './scenario';

const BUDGET_ALARM = /BudgetAlarm/;

/** Sees when the provider is called, and whether the alarm of a budget fires. */
export class LimitWatch {
  private readonly calls: number[] = [];
  private alarmFired = false;

  /** @param now cloud time */
  constructor(private readonly now: () => number) {}

  readonly onPrompt = (): void => {
    this.calls.push(this.now());
  };

  readonly onEvent = (event: CloudEvent): void => {
    this.alarmFired ||= event.kind === 'alarm' && event.to === 'ALARM' && BUDGET_ALARM.test(event.name);
  };

  history({ limit, budget }: Scenario): Pick<DrillHistory, 'limit' | 'budget'> {
    return {
      ...(limit === undefined ? {} : { limit: { ...limit, calls: this.calls } }),
      ...(budget === undefined ? {} : { budget: { ...budget, alarmFired: this.alarmFired } }),
    };
  }
}
