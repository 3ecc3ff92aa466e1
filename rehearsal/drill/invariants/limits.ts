import type { DrillHistory } from '../report/history';
import { findingOf, type Invariant, plural } from './invariant';

const MINUTE_MS = 60_000;

/** The utilization of the limit is measured after this time: workers start first. */
const WARM_UP_MS = 30_000;

export const rateLimitKept: Invariant = {
  name: 'rate-limit-kept',
  promise:
    'the provider receives no more calls in any minute than the rate limit and its tolerance, and most of the limit is used',
  check: ({ rateLimit, submissions, tasks }) => {
    if (rateLimit === undefined) {
      return { held: true, detail: 'not checked: the scenario has no rate limit' };
    }
    const { calls, maxCallsPerMinute, callsPerMinute, minUtilization } = rateLimit;
    const busiest = busiestMinute(calls);
    const from = Math.min(...submissions.map(({ at }) => at)) + WARM_UP_MS;
    const to = Math.max(...submissions.map(({ at }) => at));
    const underLoad = calls.filter((at) => at >= from && at < to).length;
    const used = (underLoad * MINUTE_MS) / (to - from) / callsPerMinute;
    const failed = tasks.filter(({ status }) => status !== 'succeeded');
    return findingOf(
      [
        ...(busiest > maxCallsPerMinute
          ? [`${busiest} calls in one minute, expected at most ${maxCallsPerMinute}`]
          : []),
        ...(used < minUtilization ? [`${percent(used)} of the limit was used under load`] : []),
        ...failed.map(({ id, status }) => `task ${id} is ${status}: waiting for the limit must not fail a task`),
      ],
      `${plural(calls.length, 'call')}, ${busiest} in the busiest minute, ${percent(used)} of ${callsPerMinute} per minute used`,
    );
  },
};

export const budgetKept: Invariant = {
  name: 'budget-kept',
  promise:
    'when a budget is used up, tasks are refused with a message that names it, its alarm fires, and spending stops',
  check: ({ budget, submissions, tasks }) => {
    if (budget === undefined) {
      return { held: true, detail: 'not checked: the scenario has no budget' };
    }
    const { dailyDollars, maxDollars, alarmFired } = budget;
    const refused = submissions.filter(isOverBudget);
    const spent = tasks.reduce((sum, { usage }) => sum + (usage?.cost ?? 0), 0);
    return findingOf(
      [
        ...(refused.length === 0 ? ['no request was refused'] : []),
        ...(alarmFired ? [] : ['its alarm did not fire']),
        ...(spent < dailyDollars ? [`only ${spent.toFixed(4)} of ${dailyDollars} US dollars were spent`] : []),
        ...(spent > maxDollars ? [`${spent.toFixed(4)} US dollars were spent, expected at most ${maxDollars}`] : []),
      ],
      `${plural(refused.length, 'request')} refused, ${spent.toFixed(4)} US dollars spent of ${dailyDollars}`,
    );
  },
};

/** Whether it was refused for a budget, with a message that names the budget and the start of the next one. */
export function isOverBudget({ status, problem }: DrillHistory['submissions'][number]): boolean {
  return status === 429 && /the agent's budget of [\d.]+ US dollars a day is used up.*begins at/.test(problem ?? '');
}

function busiestMinute(calls: readonly number[]): number {
  const sorted = [...calls].sort((a, b) => a - b);
  let most = 0;
  let first = 0;
  for (const [last, at] of sorted.entries()) {
    while (at - (sorted[first] ?? at) >= MINUTE_MS) {
      first += 1;
    }
    most = Math.max(most, last - first + 1);
  }
  return most;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
