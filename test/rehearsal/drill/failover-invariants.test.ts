import type { TaskRecord } from '../../../lib/contract';
import { checkInvariants } from '../../../rehearsal/drill/invariants';
import type { DrillHistory, FailoverHistory } from '../../../rehearsal/drill/report/history';
import { history, minute, task, user } from './histories';

const away = (changes: Partial<FailoverHistory> = {}): FailoverHistory => ({
  model: 'a',
  failures: 5,
  maxFailures: 10,
  fallbackAnswers: 1,
  unusedRules: [],
  ...changes,
});

const answered = (n: number, changes: Partial<TaskRecord>) =>
  task({ user: user(n), createdAt: minute(50), finishedAt: minute(50) + n, ...changes });

const done = [answered(1, { models: { b: 1 } }), answered(2, { models: { a: 1 } })];

const broken = (drill: Partial<DrillHistory>) =>
  checkInvariants(history({ tasks: done, failover: away(), ...drill }))
    .filter(({ held }) => !held)
    .map(({ name, detail }) => `${name}: ${detail}`);

test('all invariants hold when a fallback answered and the primary recovered', () => {
  expect(broken({})).toEqual([]);
});

test.each<[string, Partial<DrillHistory>, RegExp]>([
  [
    'a task that failed',
    { tasks: [...done, answered(0, { status: 'failed', models: { a: 1 } })] },
    /^failover-loses-no-task: task \S+ is failed$/,
  ],
  [
    'an answer that no task records',
    { failover: away({ fallbackAnswers: 2 }) },
    /^fallbacks-recorded: tasks record 1 answer of fallbacks, expected 2$/,
  ],
  [
    'a fallback that never answered',
    { failover: away({ unusedRules: ['second'] }) },
    /^fallbacks-recorded: rule second never answered$/,
  ],
  ['no outage', { failover: away({ failures: 0 }) }, /^circuit-breaker-limits-calls: the primary never failed$/],
  [
    'a primary with too many calls',
    { failover: away({ failures: 11 }) },
    /^circuit-breaker-limits-calls: the primary failed 11 calls, expected at most 10$/,
  ],
  [
    'a primary that did not recover',
    { tasks: [answered(1, { models: { a: 1 } }), answered(2, { models: { b: 1 } })] },
    /^primary-recovers: task \S+, one of the last, was answered by b$/,
  ],
])('fails for %s', (_, drill, expected) => {
  expect(broken(drill)).toContainEqual(expect.stringMatching(expected));
});
