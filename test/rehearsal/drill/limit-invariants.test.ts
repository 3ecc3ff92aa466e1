import { checkInvariants } from '../../../rehearsal/drill/invariants';
import type { DrillHistory, Submission } from '../../../rehearsal/drill/report/history';
import { history, minute, task, user } from './histories';

const SECOND = 1_000;
const limit = { callsPerMinute: 60, maxCallsPerMinute: 64, minUtilization: 0.9 };

/** Three minutes of requests, a task for each. */
const tasks = Array.from({ length: 180 }, (_, n) => task({ user: user(n % 10), createdAt: minute(50) + n * SECOND }));

/** A call a second from the first request on, but for what is left out. */
const calls = (left: (n: number) => boolean = () => true) =>
  Array.from({ length: 180 }, (_, n) => n)
    .filter(left)
    .map((n) => minute(50) + n * SECOND);

const broken = (drill: Partial<DrillHistory>) =>
  checkInvariants(history({ tasks, ...drill }))
    .filter(({ held }) => !held)
    .map(({ name, detail }) => `${name}: ${detail}`);

describe('a limit', () => {
  test('is kept when it was not exceeded and was used', () => {
    expect(broken({ rateLimit: { ...limit, calls: calls() } })).toEqual([]);
  });

  test('fails for any minute with too many calls', () => {
    const burst = Array.from({ length: 5 }, (_, n) => minute(51) + 30 * SECOND + n);
    expect(broken({ rateLimit: { ...limit, calls: [...calls(), ...burst] } })).toEqual([
      'rate-limit-kept: 65 calls in one minute, expected at most 64',
    ]);
    expect(broken({ rateLimit: { ...limit, calls: [...calls(), ...burst.slice(1)] } })).toEqual([]);
  });

  test('fails when a tenth of the limit was not used, without the start-up time of workers', () => {
    const rested = calls((n) => n % 8 !== 0);
    expect(broken({ rateLimit: { ...limit, calls: rested } })).toEqual([
      'rate-limit-kept: 87 % of the limit was used under load',
    ]);
    expect(broken({ rateLimit: { ...limit, calls: calls((n) => n >= 30) } })).toEqual([]);
  });

  test('fails for a task that failed because it waited', () => {
    const [first, ...others] = tasks;
    const failed = { ...(first ?? task({ user: user(0), createdAt: minute(50) })), status: 'failed' as const };
    expect(broken({ tasks: [failed, ...others], rateLimit: { ...limit, calls: calls() } })).toContainEqual(
      `rate-limit-kept: task ${failed.id} is failed: waiting for the limit must not fail a task`,
    );
  });
});

describe('a budget', () => {
  const budget = { dailyDollars: 0.1, maxDollars: 0.12, alarmFired: true };
  const refused: Submission = {
    sequence: 900,
    user: user(1),
    at: minute(54),
    status: 429,
    problem:
      "budget_exceeded: the agent's budget of 0.1 US dollars a day is used up; the next day's begins at 2026-01-06T00:00:00Z, in 9 s",
  };
  const usage = { inputTokens: 1, outputTokens: 1, modelCalls: 1, toolCalls: 0, cost: 0.1 / 180 };
  const paid = tasks.map((one) => ({ ...one, usage }));
  const submissions = [...history({ tasks: paid }).submissions, refused];
  const drill = { tasks: paid, submissions, budget };

  test('is kept when it was exhausted, its alarm fired and requests were refused', () => {
    expect(broken(drill)).toEqual([]);
  });

  test.each<[string, Partial<DrillHistory>, string]>([
    ['no request was refused', { submissions: submissions.slice(0, -1) }, 'budget-kept: no request was refused'],
    ['its alarm did not fire', { budget: { ...budget, alarmFired: false } }, 'budget-kept: its alarm did not fire'],
    [
      'the budget was not spent',
      { budget: { ...budget, dailyDollars: 0.11 } },
      'budget-kept: only 0.1000 of 0.11 US dollars were spent',
    ],
    [
      'too much was spent',
      { budget: { ...budget, maxDollars: 0.09, dailyDollars: 0.08 } },
      'budget-kept: 0.1000 US dollars were spent, expected at most 0.09',
    ],
  ])('fails when %s', (_, changes, finding) => {
    expect(broken({ ...drill, ...changes })).toEqual([finding]);
  });

  test('fails for a refusal without the name of the budget and the start of the next', () => {
    const curt = { ...refused, problem: 'budget_exceeded: come again tomorrow' };
    expect(broken({ ...drill, submissions: [...submissions.slice(0, -1), curt] })).toEqual([
      `every-request-accepted: request 900 of ${user(1)}: 429 budget_exceeded: come again tomorrow`,
      'budget-kept: no request was refused',
    ]);
  });
});
