import type { CloudEvent } from '../../../../rehearsal/cloud';
import { cloudStartFor, LimitWatch } from '../../../../rehearsal/drill/observe/limit-watch';
import type { Scenario } from '../../../../rehearsal/drill/scenario/scenario';

const scenario: Scenario = { name: 'any', releases: [{ name: 'first', expected: 'promoted' }] };
const budget = { dailyDollars: 1, maxDollars: 2 };

const alarm = (name: string, to: 'ALARM' | 'OK'): CloudEvent => ({
  kind: 'alarm',
  at: 0,
  name,
  from: 'OK',
  to,
  reason: '',
});

test('a budget drill starts at midnight UTC, other drills start now', () => {
  const start = cloudStartFor({ ...scenario, budget }) ?? Number.NaN;
  expect(new Date(start).toISOString()).toMatch(/T00:00:00\.000Z$/);
  expect(Date.now() - start).toBeGreaterThanOrEqual(0);
  expect(Date.now() - start).toBeLessThanOrEqual(86_400_000);
  expect(cloudStartFor(scenario)).toBeUndefined();
});

test('a budget is nearly exhausted when its alarm, and no other, has fired', () => {
  const watch = new LimitWatch(() => 0);
  watch.onEvent(alarm('Stack-AgentGateserrors', 'ALARM'));
  watch.onEvent(alarm('Stack-AgentBudgetAlarm1', 'OK'));
  expect(watch.isBudgetNearlyExhausted).toBe(false);
  watch.onEvent(alarm('Stack-AgentBudgetAlarm1', 'ALARM'));
  watch.onEvent(alarm('Stack-AgentBudgetAlarm1', 'OK'));
  expect(watch.isBudgetNearlyExhausted).toBe(true);
  expect(watch.history({ ...scenario, budget }).budget).toEqual({ ...budget, alarmFired: true });
});

test('records the times of the calls to the provider', () => {
  let now = 5;
  const watch = new LimitWatch(() => now);
  watch.onPrompt();
  now = 9;
  watch.onPrompt();
  const rateLimit = { callsPerMinute: 1, maxCallsPerMinute: 2, minUtilization: 0.9 };
  expect(watch.history({ ...scenario, rateLimit }).rateLimit).toEqual({ ...rateLimit, calls: [5, 9] });
});
