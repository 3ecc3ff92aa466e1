import { PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import { DeadLetters, HIDE_MS } from '../../../../lambda/functions/redrive/dead-letters';
import {
  type RedriveAnswer,
  type RedriveRequest,
  redriveAnswerSchema,
} from '../../../../lambda/functions/redrive/protocol';
import { TaskRedriver, type TaskRedriverDeps } from '../../../../lambda/functions/redrive/redrive';
import { parseRequest } from '../../../../lambda/functions/redrive/request';
import { AuditTrail } from '../../../../lambda/shared/routing/audit-trail';
import { ControlTable } from '../../../../lambda/shared/routing/control-table';
import { chooseLane } from '../../../../lambda/shared/routing/decision';
import { RoutingRepository } from '../../../../lambda/shared/routing/routing-repository';
import { TaskQueues } from '../../../../lambda/shared/tasks/task-queues';
import { TaskRepository } from '../../../../lambda/shared/tasks/task-repository';
import { ControlKey, type Envelope, type LaneName, TaskKey, type TaskRecord } from '../../../../lib/contract';
import { CapturedLog } from '../../shared/support/fakes';
import { AGENT, Cloud, RELEASE } from './support/cloud';

const OTHER_RELEASE = 'r-ba9876543210';
const target = (release: string, version: string) => ({ release, workerVersion: version, routerVersion: version });

let cloud: Cloud;
let props: TaskRedriverDeps;
let invocations = 0;

beforeEach(async () => {
  cloud = await Cloud.start();
  const { clock, documents, sqs } = cloud;
  props = {
    agent: AGENT,
    letters: new DeadLetters(sqs, cloud.deadLetterUrls),
    tasks: new TaskRepository(documents, 'tasks'),
    retentionDays: 7,
    queues: new TaskQueues(sqs, cloud.queueUrls),
    routing: new RoutingRepository(documents, 'control'),
    audit: new AuditTrail(new ControlTable(documents, 'control'), AGENT),
    clock,
    logger: new CapturedLog(),
    isOver: () => false,
    requestId: 'set by call',
  };
  await promote();
});
afterEach(() => cloud.stop());

async function promote(): Promise<void> {
  const item = { target: target(RELEASE, '1'), promotedAt: 0 };
  await cloud.documents.send(new PutCommand({ TableName: 'control', Item: { ...ControlKey.promoted, ...item } }));
}

/** One invocation. Long polls wait for cloud time, so it is made to pass. */
async function call(
  request: Partial<RedriveRequest> = {},
  changed: Partial<TaskRedriverDeps> = {},
): Promise<RedriveAnswer> {
  invocations += 1;
  const redrive = new TaskRedriver(parseRequest({ action: 'list', ...request }), {
    ...props,
    requestId: `invocation-${invocations}`,
    ...changed,
  });
  const running = redrive.run();
  let over = false;
  running.then(
    () => {
      over = true;
    },
    () => {
      over = true;
    },
  );
  while (!over) {
    await cloud.clock.advance(100);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return redriveAnswerSchema.parse(await running);
}

const executeRedrive = (filter: RedriveRequest['filter'] = {}, changed: Partial<TaskRedriverDeps> = {}) =>
  call({ action: 'redrive', filter }, changed);

/** Envelopes that wait in a lane's queue. */
async function queued(lane: LaneName, priority = 'normal'): Promise<readonly Envelope[]> {
  const messages = await cloud.receive(`${lane}-${priority}`, 0);
  return messages.map(({ Body }) => JSON.parse(Body ?? ''));
}

const ids = ({ entries }: RedriveAnswer) => entries.map(({ task }) => task).sort();

describe('list', () => {
  test('says of each dead task what is known, and leaves everything as it was', async () => {
    const one = await cloud.putDeadTask({ redrives: 1, priority: 'high', user: 'ann' });
    const two = await cloud.putDeadTask({ lane: 'candidate', release: OTHER_RELEASE });
    const answer = await call();
    expect(answer).toMatchObject({
      totals: { read: 2, duplicates: 0, redriven: 0, removed: 0, failed: 0, hidden: 0 },
      more: false,
    });
    expect(answer.entries).toMatchObject([
      {
        lane: 'stable',
        task: one.id,
        priority: 'high',
        user: 'ann',
        status: 'failed',
        error: { code: 'provider_error', message: 'the provider answered 500' },
        release: RELEASE,
        attempts: 5,
        redrives: 1,
        createdAt: new Date(one.createdAt).toISOString(),
        finishedAt: new Date(one.finishedAt ?? 0).toISOString(),
        fate: 'redrive',
        done: false,
      },
      { lane: 'candidate', task: two.id, release: OTHER_RELEASE },
    ]);
    await expect(cloud.counts('stable-dead')).resolves.toEqual([1, 0]);
    await expect(cloud.counts('candidate-dead')).resolves.toEqual([1, 0]);
    await expect(cloud.task(one.id)).resolves.toEqual(one);
    await expect(cloud.audited()).resolves.toEqual([]);
  });

  test('reads each message once, however many there are', async () => {
    const tasks = [];
    for (let count = 0; count < 37; count += 1) {
      tasks.push(await cloud.putDeadTask());
    }
    const answer = await call();
    expect(ids(answer)).toEqual(tasks.map(({ id }) => id).sort());
    expect(answer.totals.read).toBe(37);
    await expect(cloud.counts('stable-dead')).resolves.toEqual([37, 0]);
  });

  test('a dry run says what would be redriven and removed, and does neither', async () => {
    const dead = await cloud.putDeadTask();
    await cloud.putDeadTask({ status: 'succeeded', exhausted: undefined as never });
    const answer = await call({ action: 'redrive', dryRun: true });
    expect(answer.entries.map(({ fate, done }) => [fate, done])).toEqual([
      ['redrive', false],
      ['remove', false],
    ]);
    await expect(cloud.counts('stable-dead')).resolves.toEqual([2, 0]);
    await expect(cloud.task(dead.id)).resolves.toEqual(dead);
    await expect(cloud.audited()).resolves.toEqual([]);
  });

  test('long error messages are cut', async () => {
    await cloud.putDeadTask({ error: { code: 'x', message: 'a'.repeat(5_000) } });
    const { entries } = await call();
    expect(entries[0]?.error?.message).toHaveLength(300);
  });

  test('what another call holds is counted', async () => {
    await cloud.putDeadTask();
    await cloud.receive('stable-dead', 120);
    const answer = await call();
    expect(answer).toMatchObject({ entries: [], totals: { read: 0, hidden: 1 } });
  });
});

describe('filter', () => {
  test.each([
    ['lane', { lane: 'candidate' }],
    ['priority', { priority: 'low' }],
    ['code', { code: 'worker_lost' }],
    ['release', { release: OTHER_RELEASE }],
    ['user', { user: 'ann' }],
    ['age', { olderThanSeconds: 3_600 }],
  ] as const)('by %s means the tasks that fit it', async (_, filter) => {
    const meant = await cloud.putDeadTask({
      lane: 'candidate',
      priority: 'low',
      error: { code: 'worker_lost', message: '' },
      release: OTHER_RELEASE,
      user: 'ann',
      finishedAt: cloud.clock.now() - 3_600_000,
    });
    await cloud.putDeadTask();
    expect(ids(await call({ filter }))).toEqual([meant.id]);
    const answer = await executeRedrive(filter);
    expect(ids(answer)).toEqual([meant.id]);
    await expect(cloud.counts('stable-dead')).resolves.toEqual([1, 0]);
    await expect(cloud.counts('candidate-dead')).resolves.toEqual([0, 0]);
    expect((await cloud.audited())[0]).toMatchObject({ details: { filter } });
  });

  test('by task, and by more than one thing', async () => {
    const [one, two, three] = [await cloud.putDeadTask(), await cloud.putDeadTask(), await cloud.putDeadTask()];
    expect(ids(await call({ filter: { task: [one.id, three.id] } }))).toEqual([one.id, three.id].sort());
    expect(ids(await call({ filter: { task: [two.id], user: 'another user' } }))).toEqual([]);
  });

  test('a limit ends the call; the rest stays visible', async () => {
    for (let count = 0; count < 25; count += 1) {
      await cloud.putDeadTask();
    }
    const answer = await executeRedrive({ limit: 13 });
    expect(answer).toMatchObject({ totals: { redriven: 13, hidden: 0 }, more: false });
    await expect(cloud.counts('stable-dead')).resolves.toEqual([12, 0]);
    await expect(cloud.counts('stable-normal')).resolves.toEqual([13, 0]);
  });
});

describe('redrive', () => {
  test('a task starts again, with all its tries before it, where its journal is', async () => {
    const dead = await cloud.putDeadTask({
      priority: 'high',
      waits: 3,
      ranMs: 500,
      lease: { token: 'token', expiresAt: 1 },
      webhook: { url: 'https://example.com/' },
      webhookDeliveredAt: 5,
      usage: { modelCalls: 1, toolCalls: 0, inputTokens: 10, outputTokens: 5, cost: 0.5 },
    });
    const answer = await executeRedrive();
    expect(answer.entries).toMatchObject([{ task: dead.id, fate: 'redrive', done: true, sentTo: 'stable' }]);
    const {
      error: _error,
      finishedAt: _finishedAt,
      endedBy: _endedBy,
      exhausted: _exhausted,
      lease: _lease,
      ranMs: _ranMs,
      waits: _waits,
      webhookDeliveredAt: _delivered,
      ...kept
    } = dead;
    const task = await cloud.task(dead.id);
    expect(task).toEqual({
      ...kept,
      status: 'queued',
      attempts: 5,
      uncounted: 5,
      redrives: 1,
      expiresAt: expect.any(Number),
    });
    expect(task.expiresAt).toBeGreaterThan(dead.expiresAt);
    await expect(queued('stable', 'high')).resolves.toEqual([
      { version: 1, agent: AGENT, taskId: dead.id, lane: 'stable', priority: 'high', mode: 'live', user: 'user-1' },
    ]);
    await expect(cloud.counts('stable-dead')).resolves.toEqual([0, 0]);
    expect(await cloud.audited()).toMatchObject([
      {
        action: 'task_redriven',
        agent: AGENT,
        reason: '1 tasks redriven from the dead-letter queues, 0 obsolete messages removed',
        details: { redriven: 1, removed: 0, filter: {} },
      },
    ]);
  });

  test('it goes where its user is routed today', async () => {
    const rollout = {
      id: 'x',
      target: target(OTHER_RELEASE, '2'),
      status: 'in_progress',
      startedAt: 0,
    } as const;
    const snapshot = { version: '1', shift: { version: '2', weight: 0.5 } };
    const valve = { rolloutId: 'x', current: snapshot, previous: snapshot, effectiveAt: 0, checkedAt: 0, sequence: 1 };
    for (const [key, item] of [
      [ControlKey.rollout, rollout],
      [ControlKey.valve, valve],
    ] as const) {
      await cloud.documents.send(new PutCommand({ TableName: 'control', Item: { ...key, ...item } }));
    }
    const users = Array.from({ length: 20 }, (_, index) => `user-${index}`);
    for (const user of users) {
      await cloud.putDeadTask({ user, lane: 'candidate' });
    }
    const { entries } = await executeRedrive();
    const state = await props.routing.readRouting();
    const wanted = Object.fromEntries(
      users.map((user) => [user, chooseLane(state, cloud.clock.now(), AGENT, user).lane]),
    );
    expect(new Set(Object.values(wanted))).toEqual(new Set(['stable', 'candidate']));
    expect(Object.fromEntries(entries.map(({ user, sentTo }) => [user, sentTo]))).toEqual(wanted);
    for (const { task, sentTo } of entries) {
      expect((await cloud.task(task ?? '')).lane).toBe(sentTo);
    }
  });

  test('a second time it counts', async () => {
    const dead = await cloud.putDeadTask({ redrives: 1, uncounted: 2, attempts: 7 });
    await executeRedrive();
    expect(await cloud.task(dead.id)).toMatchObject({ redrives: 2, attempts: 7, uncounted: 7 });
  });

  test('finished steps are kept as long as the task', async () => {
    const dead = await cloud.putDeadTask();
    const now = cloud.clock.now() / 1_000;
    const step = (key: string, expiresAt: number) =>
      cloud.documents.send(
        new PutCommand({ TableName: 'tasks', Item: { ...TaskKey.step(dead.id, key), key, expiresAt } }),
      );
    await step('step:old', now + 60);
    await step('step:new', now + 6.9 * 86_400);
    await executeRedrive();
    const { expiresAt } = await cloud.task(dead.id);
    const { Items = [] } = await cloud.documents.send(
      new QueryCommand({
        TableName: 'tasks',
        KeyConditionExpression: 'pk = :id AND begins_with(sk, :step)',
        ExpressionAttributeValues: { ':id': dead.id, ':step': 'STEP#' },
      }),
    );
    expect(Items.map((item) => [item.key, item.expiresAt])).toEqual([
      ['step:new', now + 6.9 * 86_400],
      ['step:old', expiresAt],
    ]);
  });

  test.each(['queued', 'running'] as const)('a task that an outage left %s is sent again', async (status) => {
    const task = await cloud.putDeadTask({
      status,
      attempts: 4,
      ...(status === 'running' ? { lease: { token: 'gone', expiresAt: cloud.clock.now() - 1 } } : {}),
      finishedAt: undefined as never,
      exhausted: undefined as never,
      error: undefined as never,
    });
    const answer = await executeRedrive();
    expect(answer.entries).toMatchObject([{ fate: 'redrive', done: true, sentTo: 'stable' }]);
    expect(await cloud.task(task.id)).toMatchObject({ status, attempts: 4, uncounted: 4 });
    await expect(queued('stable')).resolves.toMatchObject([{ taskId: task.id }]);
    await expect(cloud.counts('stable-dead')).resolves.toEqual([0, 0]);
  });

  test('a task that a worker holds is left to it', async () => {
    const lease = { token: 'held', expiresAt: cloud.clock.now() + 60_000 };
    const task = await cloud.putDeadTask({ status: 'running', lease, finishedAt: undefined as never });
    await executeRedrive();
    expect(await cloud.task(task.id)).toEqual(JSON.parse(JSON.stringify(task)));
  });

  test.each([
    ['succeeded', { status: 'succeeded' }, 'the task has ended: succeeded'],
    ['was cancelled', { status: 'cancelled' }, 'the task has ended: cancelled'],
    ['failed for good', { exhausted: undefined }, 'the task has ended: failed'],
    ['is too late', { deadlineAt: 1 }, 'deadline is over since 1970-01-01'],
    ['is a probe', { mode: 'probe' }, 'it is a probe'],
  ] as const)('of a task that %s the message alone is removed', async (_, changes, reason) => {
    const task = await cloud.putDeadTask(changes as Partial<TaskRecord>);
    const before = await cloud.task(task.id);
    expect((await call()).entries).toMatchObject([{ fate: 'remove', reason: expect.stringContaining(reason) }]);
    await expect(cloud.counts('stable-dead')).resolves.toEqual([1, 0]);
    const answer = await executeRedrive();
    expect(answer.totals).toMatchObject({ redriven: 0, removed: 1 });
    await expect(cloud.task(task.id)).resolves.toEqual(before);
    await expect(cloud.counts('stable-dead')).resolves.toEqual([0, 0]);
    await expect(queued('stable')).resolves.toEqual([]);
  });

  test('a task that is no more is reported, and its message removed', async () => {
    const taskId = `t-${'e'.repeat(32)}`;
    const envelope = { version: 1, agent: AGENT, taskId, lane: 'stable', priority: 'low', mode: 'live', user: 'u' };
    await cloud.send('stable-dead', JSON.stringify(envelope));
    const { entries } = await executeRedrive();
    expect(entries).toMatchObject([{ task: taskId, fate: 'remove', done: true }]);
    expect(entries[0]?.status).toBeUndefined();
    await expect(cloud.counts('stable-dead')).resolves.toEqual([0, 0]);
  });

  test('what cannot be read is reported and left', async () => {
    await cloud.send('stable-dead', 'hello');
    const broken = await cloud.putDeadTask();
    await cloud.documents.send(
      new PutCommand({ TableName: 'tasks', Item: { ...TaskKey.task(broken.id), id: broken.id, status: 'odd' } }),
    );
    const fine = await cloud.putDeadTask();
    const { entries, totals } = await executeRedrive();
    expect(totals).toMatchObject({ redriven: 1, removed: 0 });
    expect(entries.filter(({ fate }) => fate === 'leave')).toHaveLength(2);
    expect(entries.find(({ done }) => done)?.task).toBe(fine.id);
    await expect(cloud.counts('stable-dead')).resolves.toEqual([2, 0]);
  });

  test('several messages of one task count once', async () => {
    const dead = await cloud.putDeadTask();
    await cloud.moveToDeadLetterQueue(dead);
    await cloud.moveToDeadLetterQueue({ ...dead, lane: 'candidate' });
    expect(await call()).toMatchObject({ entries: [{ task: dead.id }], totals: { read: 3, duplicates: 2 } });
    await expect(cloud.counts('stable-dead')).resolves.toEqual([2, 0]);
    const answer = await executeRedrive();
    expect(answer.entries).toHaveLength(1);
    await expect(queued('stable')).resolves.toHaveLength(1);
    await expect(cloud.counts('stable-dead')).resolves.toEqual([0, 0]);
    await expect(cloud.counts('candidate-dead')).resolves.toEqual([0, 0]);
  });

  test('two calls at once redrive each task once', async () => {
    for (let count = 0; count < 20; count += 1) {
      await cloud.putDeadTask();
    }
    const [one, two] = await Promise.all([executeRedrive(), executeRedrive()]);
    expect(one.totals.redriven + two.totals.redriven).toBe(20);
    await expect(cloud.counts('stable-normal')).resolves.toEqual([20, 0]);
  });
});

describe('too much for one call', () => {
  test('calls continue until no message is left, and a message that does not match the filter is not read again', async () => {
    const meant = [];
    for (let count = 0; count < 30; count += 1) {
      await cloud.putDeadTask();
      meant.push(await cloud.putDeadTask({ user: 'ann' }));
    }
    const found = [];
    let calls = 0;
    for (let more = true; more; calls += 1) {
      let reads = 0;
      const isOver = () => {
        reads += 1;
        return reads > 2;
      };
      const answer = await executeRedrive({ user: 'ann' }, { isOver });
      expect(answer.totals.read).toBeLessThanOrEqual(20);
      found.push(...ids(answer));
      more = answer.more;
      expect(calls).toBeLessThan(10);
    }
    expect(calls).toBeGreaterThan(2);
    expect(found.sort()).toEqual(meant.map(({ id }) => id).sort());
    await cloud.clock.advance(HIDE_MS);
    await expect(cloud.counts('stable-dead')).resolves.toEqual([30, 0]);
  });
});

describe('interrupted', () => {
  type Call = readonly [keyof TaskRedriverDeps, string];
  const CALLS: readonly Call[] = [
    ['letters', 'read'],
    ['letters', 'delete'],
    ['letters', 'release'],
    ['letters', 'hidden'],
    ['tasks', 'get'],
    ['routing', 'readRouting'],
    ['tasks', 'redrive'],
    ['queues', 'send'],
    ['audit', 'append'],
  ];

  /** The call fails once: before it is made, or after it was made and its answer got lost. */
  function interrupting([part, method]: Call, when: 'before' | 'after'): Partial<TaskRedriverDeps> {
    const original = props[part] as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
    let left = 1;
    const replaced = new Proxy(original, {
      get: (object, name) => {
        const real = object[String(name)];
        if (name !== method || typeof real !== 'function') {
          return typeof real === 'function' ? real.bind(object) : real;
        }
        return async (...args: unknown[]) => {
          if (left === 0) {
            return await real.apply(object, args);
          }
          left -= 1;
          if (when === 'after') {
            await real.apply(object, args);
          }
          throw new Error(`interrupted ${when} ${part}.${method}`);
        };
      },
    });
    return { [part]: replaced };
  }

  test.each(CALLS.flatMap((one) => (['before', 'after'] as const).map((when) => [when, ...one] as const)))(
    '%s %s.%s: another call redrives every task, and loses none',
    async (when, part, method) => {
      const tasks = [await cloud.putDeadTask(), await cloud.putDeadTask(), await cloud.putDeadTask()];
      await cloud.putDeadTask({ status: 'succeeded' });
      await executeRedrive({}, interrupting([part, method], when)).catch((error: unknown) => {
        expect(String(error)).toContain(`interrupted ${when} ${part}.${method}`);
      });
      // Each task is queued with a message in its queue, or still in the dead-letter queue.
      const waiting = new Set((await queued('stable')).map(({ taskId }) => taskId));
      await cloud.clock.advance(HIDE_MS);
      const dead = new Set(
        (await cloud.receive('stable-dead', 0)).map(({ Body }) => (JSON.parse(Body ?? '') as Envelope).taskId),
      );
      for (const { id } of tasks) {
        expect(waiting.has(id) || dead.has(id)).toBe(true);
      }
      await executeRedrive();
      await expect(cloud.counts('stable-dead')).resolves.toEqual([0, 0]);
      const sent = new Set((await queued('stable')).map(({ taskId }) => taskId));
      expect(sent).toEqual(new Set(tasks.map(({ id }) => id)));
      for (const { id } of tasks) {
        expect(await cloud.task(id)).toMatchObject({ status: 'queued', redrives: 1 });
      }
    },
  );

  test('an error before anything was changed leaves everything readable', async () => {
    const dead = await cloud.putDeadTask();
    await expect(executeRedrive({}, interrupting(['routing', 'readRouting'], 'before'))).rejects.toThrow('interrupted');
    await expect(cloud.counts('stable-dead')).resolves.toEqual([1, 0]);
    await expect(cloud.task(dead.id)).resolves.toEqual(dead);
  });
});

describe('fails for what is no request', () => {
  test.each([
    ['nothing', undefined, 'request'],
    ['another action', { action: 'purge' }, 'action'],
    ['an unknown filter', { action: 'list', filter: { status: 'failed' } }, 'filter'],
    ['a lane that is none', { action: 'list', filter: { lane: 'shadow' } }, 'filter.lane'],
    ['a task that is none', { action: 'list', filter: { task: ['1'] } }, 'filter.task.0'],
    ['a limit of nothing', { action: 'list', filter: { limit: 0 } }, 'filter.limit'],
  ])('%s', (_, event, place) => {
    expect(() => parseRequest(event)).toThrow(new RegExp(`^not a request to redrive: .*${place}`));
  });
});
