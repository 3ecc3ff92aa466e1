import { checkInvariants, INVARIANTS } from '../../../rehearsal/drill/invariants';
import { upperBound } from '../../../rehearsal/drill/invariants/routing';
import type { DrillHistory } from '../../../rehearsal/drill/report/history';
import { buildReport } from '../../../rehearsal/drill/report/report';
import { CANDIDATE, history, minute, promoted, release, rolledBack, STABLE, task, user } from './histories';

/** Names of the invariants that a history breaks. */
const broken = (drill: DrillHistory) =>
  checkInvariants(drill)
    .filter((invariant) => !invariant.held)
    .map((invariant) => invariant.name);

const detail = (drill: DrillHistory, name: string) =>
  checkInvariants(drill).find((invariant) => invariant.name === name)?.detail;

/** user-03 is within the first 10 % of the valve, user-50 is not. */
const calm = () => [
  task({ user: user(3), createdAt: minute(50) }),
  task({ user: user(50), createdAt: minute(50) }),
  task({ user: user(3), createdAt: minute(120), lane: 'candidate', release: CANDIDATE }),
  task({ user: user(50), createdAt: minute(120) }),
  task({ user: user(3), createdAt: minute(160) }),
  task({ user: user(50), createdAt: minute(160) }),
];

const calmRollback = (overrides: Partial<DrillHistory> = {}) =>
  history({ tasks: calm(), releases: [release(), rolledBack()], ...overrides });

describe('a run without violations', () => {
  test('holds every invariant, with a rollback and with a promotion', () => {
    expect(broken(history())).toEqual([]);
    expect(broken(calmRollback())).toEqual([]);
    const tasks = [
      ...calm().slice(0, 4),
      task({ user: user(50), createdAt: minute(145), lane: 'candidate', release: CANDIDATE }),
      task({ user: user(50), createdAt: minute(160), release: CANDIDATE }),
    ];
    expect(broken(history({ tasks, releases: [release(), promoted()] }))).toEqual([]);
  });

  test('names are unique', () => {
    expect(new Set(INVARIANTS.map((invariant) => invariant.name)).size).toBe(INVARIANTS.length);
  });
});

describe('expected-verdicts', () => {
  test('fails for an unexpected verdict', () => {
    const drill = history({ releases: [release(), rolledBack({ expected: 'promoted' })] });
    expect(broken(drill)).toEqual(['expected-verdicts']);
    expect(detail(drill, 'expected-verdicts')).toBe(
      'second: expected promoted, was rolled_back (alarm support-errors)',
    );
  });

  test('fails when another gate, no gate, or an additional gate caused the rollback', () => {
    const cause = { gate: 'cost' };
    for (const stoppedBy of [['errors'], [], ['cost', 'errors']]) {
      expect(broken(history({ releases: [release(), rolledBack({ cause, stoppedBy })] }))).toEqual([
        'expected-verdicts',
      ]);
    }
    expect(broken(history({ releases: [release(), rolledBack({ cause, stoppedBy: ['Cost'] })] }))).toEqual([]);
  });

  test('fails for another reason, and for an unexpected change', () => {
    expect(broken(history({ releases: [release(), rolledBack({ cause: { reason: 'evidence' } })] }))).toEqual([
      'expected-verdicts',
    ]);
    expect(broken(history({ releases: [release({ expectNoChanges: true, changed: ['Stack/Worker'] })] }))).toEqual([
      'expected-verdicts',
    ]);
  });
});

describe('tasks', () => {
  const accepted = task({ user: user(1), createdAt: minute(50) });

  test('fails when a request is refused', () => {
    const drill = history({
      submissions: [{ sequence: 0, user: user(1), at: minute(1), status: 503, problem: 'unavailable' }],
    });
    expect(broken(drill)).toEqual(['every-request-accepted']);
    expect(detail(drill, 'every-request-accepted')).toBe('request 0 of user-01: 503 unavailable');
  });

  test('fails when an accepted task has no record, or is not final', () => {
    const submissions = [{ sequence: 0, user: user(1), at: minute(50), status: 202, taskId: accepted.id }];
    expect(broken(history({ submissions }))).toEqual(['no-task-lost']);
    const { result: _, finishedAt: __, ...rest } = accepted;
    const drill = history({ submissions, tasks: [{ ...rest, status: 'running' }], resultsWritten: 0 });
    expect(broken(drill)).toEqual(['no-task-lost']);
    expect(buildReport(drill, { scenario: 's', seed: 1, wallSeconds: 1 }).tasks.lost).toBe(1);
  });

  test('fails when a final task lacks its release, or carries a result and an error', () => {
    const { release: _, ...noRelease } = accepted;
    expect(broken(history({ tasks: [noRelease] }))).toEqual(['one-final-status']);
    expect(broken(history({ tasks: [{ ...accepted, error: { code: 'x', message: 'y' } }] }))).toEqual([
      'one-final-status',
    ]);
    expect(broken(history({ tasks: [{ ...accepted, status: 'failed' }] }))).toEqual(['one-final-status']);
  });

  test('fails when more results were written than there are tasks', () => {
    const drill = history({ tasks: [accepted], resultsWritten: 2 });
    expect(broken(drill)).toEqual(['one-result']);
    expect(buildReport(drill, { scenario: 's', seed: 1, wallSeconds: 1 }).tasks.duplicateResults).toBe(1);
  });

  test('fails when a repeat gets another task', () => {
    const other = task({ user: user(1), createdAt: minute(51) });
    const submissions = [
      { sequence: 0, user: user(1), at: minute(50), status: 202, taskId: accepted.id },
      { sequence: 1, user: user(1), at: minute(51), status: 202, taskId: other.id, repeats: 0 },
    ];
    expect(broken(history({ tasks: [accepted, other], submissions }))).toEqual(['same-key-same-task']);
  });

  test('fails for a task without a request', () => {
    expect(broken(history({ tasks: [accepted], submissions: [] }))).toEqual(['same-key-same-task']);
  });

  test('fails when a read differs from the tasks table', () => {
    const reads = [{ taskId: accepted.id, status: 200, taskStatus: 'queued' }];
    expect(broken(history({ tasks: [accepted], reads }))).toEqual(['reads-agree']);
    expect(broken(history({ tasks: [accepted], reads: [{ taskId: accepted.id, status: 404 }] }))).toEqual([
      'reads-agree',
    ]);
  });
});

describe('routing', () => {
  const during = (overrides: Partial<DrillHistory>) => calmRollback(overrides);

  test('fails when a user outside the valve goes to the candidate', () => {
    const stray = task({ user: user(50), createdAt: minute(121), lane: 'candidate', release: STABLE });
    const drill = during({ tasks: [stray] });
    expect(broken(drill)).toEqual(['lanes-follow-valve']);
    expect(buildReport(drill, { scenario: 's', seed: 1, wallSeconds: 1 }).routing.violations).toBe(1);
  });

  test('fails when a user within the valve stays on the stable lane long after it opened', () => {
    expect(broken(during({ tasks: [task({ user: user(3), createdAt: minute(120) })] }))).toEqual([
      'lanes-follow-valve',
    ]);
    expect(broken(during({ tasks: [task({ user: user(3), createdAt: minute(110.5) })] }))).toEqual([]);
  });

  test('fails when a user is moved to the candidate twice', () => {
    const tasks = [
      task({ user: user(3), createdAt: minute(110.1), lane: 'candidate', release: CANDIDATE }),
      task({ user: user(3), createdAt: minute(110.3) }),
      task({ user: user(3), createdAt: minute(110.5), lane: 'candidate', release: CANDIDATE }),
    ];
    const drill = during({ tasks });
    expect(broken(drill)).toEqual(['one-release-per-user']);
    expect(detail(drill, 'one-release-per-user')).toBe('user-03 went candidate → stable → candidate during second');
  });

  test('fails when a rolled-back release reached users outside the valve', () => {
    const met = task({ user: user(50), createdAt: minute(121), lane: 'candidate', release: CANDIDATE });
    expect(broken(during({ tasks: [met] }))).toEqual(['lanes-follow-valve', 'within-valve']);
  });

  test('fails when a release reached more users than the valve can explain', () => {
    const tasks = Array.from({ length: 12 }, (_, n) =>
      task({ user: user(n), createdAt: minute(120), lane: 'candidate', release: CANDIDATE }),
    );
    expect(broken(during({ tasks, bucketOf: () => 0 }))).toEqual(['within-valve']);
  });

  test('fails when a task goes to the candidate, or runs on it, after the rollback', () => {
    const late = task({ user: user(3), createdAt: minute(160), lane: 'candidate', release: STABLE });
    expect(broken(during({ tasks: [late] }))).toEqual(['lanes-follow-valve', 'stable-after-rollback']);
    const wrong = task({ user: user(50), createdAt: minute(160), release: CANDIDATE });
    expect(broken(during({ tasks: [wrong] }))).toEqual(['stable-after-rollback']);
  });

  test('fails when messages remain in the candidate lane after a rollout', () => {
    expect(broken(history({ releases: [release(), promoted({ candidateBacklog: 3 })] }))).toEqual([
      'candidate-lane-empty',
    ]);
  });

  test('fails when a release that ran tasks has no record', () => {
    expect(broken(calmRollback({ recordedReleases: [STABLE] }))).toEqual(['releases-recorded']);
  });

  test('allows a task that waited in the stable queue to run on the next release', () => {
    const waited = task({ user: user(50), createdAt: minute(190), startedAt: minute(205), release: 'r-000000000003' });
    const third = promoted({ name: 'third', id: 'r-000000000003', startedAt: minute(200), endedAt: minute(260) });
    const recordedReleases = [STABLE, CANDIDATE, 'r-000000000003'];
    expect(broken(history({ tasks: [waited], releases: [release(), rolledBack(), third], recordedReleases }))).toEqual(
      [],
    );
  });
});

describe('the cloud', () => {
  test('fails when a deployment leaves the stack neither updated nor rolled back', () => {
    const stuck = rolledBack({ stackStatus: 'UPDATE_ROLLBACK_FAILED' });
    expect(broken(history({ releases: [release(), stuck] }))).toEqual(['stack-settled']);
  });

  test('fails for a denied call, and names principal and action', () => {
    const denied = [{ principal: 'router', action: 'sqs:SendMessage', resource: 'arn:q', reason: 'no statement' }];
    const drill = history({ authorization: { calls: 3, denied } });
    expect(broken(drill)).toEqual(['no-call-denied']);
    expect(detail(drill, 'no-call-denied')).toBe(
      'router is not allowed to call sqs:SendMessage on arn:q (no statement)',
    );
  });

  test('fails for a call that the rehearsal does not support, and names it', () => {
    const drill = history({ refusedCalls: { 'athena.StartQueryExecution': 2, 'sts:443': 1 } });
    expect(broken(drill)).toEqual(['calls-supported']);
    expect(detail(drill, 'calls-supported')).toBe('athena.StartQueryExecution 2 times; sts:443 1 time');
  });

  test('fails for an alarm that never had data, if there was traffic', () => {
    const alarms = [{ name: 'quality', hadData: false }];
    expect(broken(calmRollback({ alarms }))).toEqual(['alarms-have-data']);
    expect(broken(history({ alarms }))).toEqual([]);
  });

  test('requires no data for alarms of a lane without tasks', () => {
    const alarms = [{ name: 'starts', hadData: false, silent: [{ Agent: 'support', Lane: 'candidate' }] }];
    const tasks = [task({ user: user(50), createdAt: minute(50) })];
    expect(broken(history({ alarms, tasks }))).toEqual([]);
    expect(broken(calmRollback({ alarms }))).toEqual(['alarms-have-data']);
    const more = alarms.map((alarm) => ({ ...alarm, silent: [...alarm.silent, { Agent: 'support' }] }));
    expect(broken(history({ alarms: more, tasks }))).toEqual(['alarms-have-data']);
  });

  test('fails for a metric line that cannot be read, and for a model call without a rule', () => {
    expect(broken(history({ malformedMetricLines: { count: 1, examples: ['{'] } }))).toEqual(['metric-lines-valid']);
    expect(broken(history({ provider: { requests: 2, unmatched: 1 } }))).toEqual(['model-calls-scripted']);
  });

  test('fails when something is left after destroy, or the stack was not destroyed', () => {
    expect(broken(history({ destruction: undefined }))).toEqual(['no-resource-left']);
    expect(
      broken(history({ destruction: { completed: true, failures: [], leftovers: ['queue a'], retained: [] } })),
    ).toEqual(['no-resource-left']);
    expect(
      broken(
        history({ destruction: { completed: false, failures: ['Stack/Queue: in use'], leftovers: [], retained: [] } }),
      ),
    ).toEqual(['no-resource-left']);
  });
});

test('the upper bound of users follows the binomial distribution', () => {
  expect(upperBound(300, 0.1)).toBe(Math.floor(30 + 4 * Math.sqrt(27) + 1));
  expect(upperBound(300, 0)).toBe(0);
  expect(upperBound(300, 1)).toBe(300);
});

describe('durability', () => {
  const [one, two] = calm();
  const tasks = [one, two].flatMap((each) => each ?? []);
  const id = one?.id ?? '';

  test('fails for a task that ended twice without a redrive', () => {
    const ends = tasks.map((each) => ({ taskId: each.id, ends: 1, redrives: 0 }));
    expect(broken(history({ tasks, ends: [{ taskId: id, ends: 2, redrives: 0 }, ...ends.slice(1)] }))).toEqual([
      'one-end-per-task',
    ]);
    expect(broken(history({ tasks, ends: [{ taskId: id, ends: 2, redrives: 1 }, ...ends.slice(1)] }))).toEqual([]);
  });

  test('fails for a step that started again after it had finished', () => {
    const steps = { executed: 3, replayed: 1, executedAfterFinish: ['step:a of t-1 was begun 3 ms after …'] };
    expect(broken(history({ tasks, steps }))).toEqual(['finished-steps-not-repeated']);
    expect(broken(history({ tasks, steps: { ...steps, executedAfterFinish: [] } }))).toEqual([]);
  });

  test('fails when the dead-letter queues do not match the tasks that failed at their last attempt', () => {
    const dead = tasks.map((each, index) => {
      const { result, ...rest } = each;
      const error = { code: 'x', message: 'failed' };
      return index === 0 ? { ...rest, status: 'failed' as const, error, exhausted: true } : each;
    });
    expect(broken(history({ tasks: dead, deadLetters: [id, id] }))).toEqual([]);
    expect(broken(history({ tasks: dead, deadLetters: [] }))).toEqual(['dead-letters']);
    expect(broken(history({ tasks: dead, deadLetters: [id, two?.id ?? ''] }))).toEqual(['dead-letters']);
    expect(broken(history({ tasks: dead, deadLetters: [id, 'unreadable: x'] }))).toEqual(['dead-letters']);
  });

  test('fails when a confirmed cancellation did not cancel the task', () => {
    expect(broken(history({ tasks, cancellations: [{ taskId: id, status: 200 }] }))).toEqual(['cancellations-kept']);
    expect(broken(history({ tasks, cancellations: [{ taskId: id, status: 500 }] }))).toEqual(['cancellations-kept']);
    expect(broken(history({ tasks, cancellations: [202, 409].map((status) => ({ taskId: id, status })) }))).toEqual([]);
  });

  test('fails when a webhook is missing, has another status, or is not signed', () => {
    const asked = tasks.map((each) => (each.id === id ? { ...each, webhook: { url: 'http://127.0.0.1/' } } : each));
    const told = { taskId: id, type: 'task.succeeded', signed: true };
    expect(broken(history({ tasks: asked, webhooks: [told, told] }))).toEqual([]);
    for (const webhooks of [[], [{ ...told, type: 'task.failed' }], [told, { ...told, signed: false }]]) {
      expect(broken(history({ tasks: asked, webhooks }))).toEqual(['webhooks-delivered']);
    }
  });
});
