import type { DrillHistory } from '../report/history';
import { type Invariant, judge, plural } from './invariant';

const MINUTE_MS = 60_000;

/** What a drill makes of its calls before it judges how far the limit was used: workers have to come up first. */
const WARM_UP_MS = 30_000;

export const limitHeld: Invariant = {
  name: 'limit-held',
  promise:
    'the provider sees no more calls in any minute than its limit and the stated tolerance, and most of it is used',
  check: ({ limit, submissions, tasks }) => {
    if (limit === undefined) {
      return { held: true, detail: 'not judged: no limit is kept' };
    }
    const { calls, most, perMinute, leastUsed } = limit;
    const busiest = busiestMinute(calls);
    const from = Math.min(...submissions.map(({ at }) => at)) + WARM_UP_MS;
    const to = Math.max(...submissions.map(({ at }) => at));
    const underLoad = calls.filter((at) => at >= from && at < to).length;
    const used = (underLoad * MINUTE_MS) / (to - from) / perMinute;
    const failed = tasks.filter(({ status }) => status !== 'succeeded');
    return judge(
      [
        ...(busiest > most ? [`${busiest} calls in one minute, at most ${most} may be`] : []),
        ...(used < leastUsed ? [`${percent(used)} of the limit was used under load`] : []),
        ...failed.map(({ id, status }) => `task ${id} is ${status}: to wait for the limit must not fail it`),
      ],
      `${plural(calls.length, 'call')}, ${busiest} in the busiest minute, ${percent(used)} of ${perMinute} a minute used`,
    );
  },
};

export const budgetHeld: Invariant = {
  name: 'budget-held',
  promise: 'past a budget tasks are refused with a message that names it, its alarm fires, and little more is spent',
  check: ({ budget, submissions, tasks }) => {
    if (budget === undefined) {
      return { held: true, detail: 'not judged: there is no budget' };
    }
    const { dollars, mostDollars, alarmFired } = budget;
    const refused = submissions.filter(isOverBudget);
    const spent = tasks.reduce((sum, { usage }) => sum + (usage?.cost ?? 0), 0);
    return judge(
      [
        ...(refused.length === 0 ? ['nothing was refused'] : []),
        ...(alarmFired ? [] : ['its alarm did not fire']),
        ...(spent < dollars ? [`only ${spent.toFixed(4)} of ${dollars} US dollars were spent`] : []),
        ...(spent > mostDollars ? [`${spent.toFixed(4)} US dollars were spent, at most ${mostDollars} may be`] : []),
      ],
      `${plural(refused.length, 'request')} refused, ${spent.toFixed(4)} US dollars spent of ${dollars}`,
    );
  },
};

/** Refused for a budget, with a message that says which and when the next begins. */
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
