import { RetryableError, ThrottledError } from '../../../lambda/runtime';
import {
  ControlKey,
  Env,
  MAX_WAITS,
  RETRY_BACKOFF_MS,
  type RolloutItem,
  TaskMetric,
  WorkerMetric,
} from '../../../lib/contract';
import { Bench, until } from './support/attempt-harness';
import { RELEASE } from './support/task-cloud';

const bench = new Bench();
const TRACE = 'Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1';

const away = () => {
  throw new RetryableError('the warehouse is away', { code: 'warehouse_away' });
};

describe('an attempt that failed and may be repeated', () => {
  test.each([1, 2])('hides its message by the backoff of try %i', async (tries) => {
    const random = jest.spyOn(Math, 'random').mockReturnValue(0.5);
    const { record, deleted } = await bench.work(away, { task: { attempts: tries - 1 } });
    random.mockRestore();
    expect(deleted).toBe(false);
    expect(record).toMatchObject({ status: 'queued', attempts: tries });
    expect(bench.cloud.hidden()).toEqual([Math.ceil((RETRY_BACKOFF_MS.first * 2 ** (tries - 1)) / 2 / 1000)]);
    expect(bench.metric(WorkerMetric.RETRIED)).toEqual([1]);
    expect(bench.metric(TaskMetric.FINISHED)).toEqual([]);
  });

  test('comes back no sooner than the other side asked for', async () => {
    await bench.work(() => {
      throw new RetryableError('busy', { retryAfterMs: 60_000 });
    });
    expect(bench.cloud.hidden()[0]).toBeGreaterThanOrEqual(60);
    expect(bench.cloud.hidden()[0]).toBeLessThanOrEqual(60 + RETRY_BACKOFF_MS.first / 1000);
  });

  test('comes back no later than its deadline, to be ended', async () => {
    await bench.work(
      () => {
        throw new RetryableError('busy', { retryAfterMs: 3_600_000 });
      },
      { task: { deadlineAt: Date.now() + 20_000 } },
    );
    expect(bench.cloud.hidden()[0]).toBeGreaterThanOrEqual(20);
    expect(bench.cloud.hidden()[0]).toBeLessThanOrEqual(21);
  });

  test('goes back although the queue cannot be told when', async () => {
    bench.cloud.sqs = () => ({ status: 500, body: { __type: 'InternalError', message: 'no' } });
    const { record, deleted } = await bench.work(away);
    expect(deleted).toBe(false);
    expect(record.status).toBe('queued');
    expect(
      bench.output.log('the visibility timeout of the message was not set; SQS will deliver it after the current one'),
    ).toBeDefined();
  });

  test('adds the time that it ran to that of others', async () => {
    const { record } = await bench.work(
      async () => {
        await new Promise((resolve) => setTimeout(resolve, 50));
        return away();
      },
      { task: { ranMs: 1_000 } },
    );
    expect(record.ranMs).toBeGreaterThanOrEqual(1_050);
  });
});

describe('a task that failed in its last attempt', () => {
  test('ends as failed with the reason, and its message goes to the dead-letter queue with the reason on it', async () => {
    const { record, deleted } = await bench.work(away, { task: { attempts: 2, lane: 'candidate' }, trace: TRACE });
    expect(deleted).toBe(true);
    expect(record).toMatchObject({
      status: 'failed',
      exhausted: true,
      attempts: 3,
      error: { code: 'warehouse_away', message: 'failed after 3 attempts: the warehouse is away' },
    });
    expect(bench.cloud.queueCalls).toHaveLength(1);
    const [call] = bench.cloud.queueCalls;
    expect(call).toMatchObject({
      operation: 'SendMessage',
      queue: 'candidate-dead',
      input: {
        MessageAttributes: {
          reason: { StringValue: 'warehouse_away' },
          release: { StringValue: RELEASE },
          attempts: { StringValue: '3' },
        },
        MessageSystemAttributes: { AWSTraceHeader: { StringValue: TRACE } },
      },
    });
    expect(bench.cloud.sentTo('candidate-dead')).toEqual([
      expect.objectContaining({ version: 1, taskId: record.id, lane: 'candidate' }),
    ]);
    expect(bench.metric(TaskMetric.FAILED)).toEqual([1]);
    expect(bench.metric(WorkerMetric.EXHAUSTED)).toEqual([1]);
  });

  test('keeps its message when the dead-letter queue is away, and the next delivery sends it there', async () => {
    bench.cloud.sqs = ({ operation }) =>
      operation === 'SendMessage' ? { status: 400, body: { __type: 'QueueDoesNotExist', message: 'no' } } : undefined;
    const task = await bench.cloud.putTask({ attempts: 2 });
    expect(await bench.deliver(task, away)).toMatchObject({ deleted: false, record: { status: 'failed' } });
    expect(bench.cloud.hidden()).toEqual([30]);
    bench.cloud.sqs = () => undefined;
    expect(await bench.deliver(task, away, { receives: 2 })).toMatchObject({ deleted: true });
    expect(bench.cloud.sentTo('stable-dead')).toHaveLength(1);
    expect(bench.metric(TaskMetric.FINISHED)).toEqual([1]);
  });

  test('does not count attempts that were not its own fault', async () => {
    const { record } = await bench.work(away, { task: { attempts: 7, uncounted: 5 } });
    expect(record).toMatchObject({
      status: 'failed',
      attempts: 8,
      error: { message: expect.stringContaining('3 attempts') },
    });
  });

  test('and whose workers went away without a word each time ends as worker_lost, and is not run again', async () => {
    const run = jest.fn();
    const lease = { token: 'gone', expiresAt: Date.now() - 1 };
    const { record, deleted } = await bench.work(run, { task: { status: 'running', attempts: 3, lease } });
    expect(deleted).toBe(true);
    expect(run).not.toHaveBeenCalled();
    expect(record).toMatchObject({ status: 'failed', exhausted: true, error: { code: 'worker_lost' } });
    expect(record.error?.message).toContain('after 3 attempts');
    expect(bench.cloud.sentTo('stable-dead')).toHaveLength(1);
    expect(bench.metric(TaskMetric.FAILED)).toEqual([1]);
    expect(bench.metric(TaskMetric.DURATION)).toEqual([]);
  });
});

describe('a task that a provider makes wait', () => {
  const limited = () => {
    throw new ThrottledError('slow down', { retryAfterMs: 40_000 });
  };

  test('goes back without having used an attempt, for as long as it was told', async () => {
    const { record, deleted } = await bench.work(limited, { task: { attempts: 2 } });
    expect(deleted).toBe(false);
    expect(record).toMatchObject({ status: 'queued', attempts: 3, uncounted: 1, waits: 1 });
    expect(bench.cloud.hidden()[0]).toBeGreaterThanOrEqual(40);
    expect(bench.metric(WorkerMetric.RETRIED)).toEqual([]);
  });

  test(`fails with the reason after ${MAX_WAITS} waits`, async () => {
    const { record, deleted } = await bench.work(limited, {
      task: { attempts: MAX_WAITS, uncounted: MAX_WAITS, waits: MAX_WAITS },
    });
    expect(deleted).toBe(true);
    expect(record).toMatchObject({ status: 'failed', exhausted: true, error: { code: 'throttled' } });
    expect(bench.cloud.sentTo('stable-dead')).toHaveLength(1);
  });
});

describe('a message that was received very often', () => {
  test.each([16, 20, 25])('(%i times of 20) is replaced by a fresh copy and not run', async (receives) => {
    const run = jest.fn();
    const { record, deleted } = await bench.work(run, { receives, trace: TRACE });
    expect(deleted).toBe(true);
    expect(run).not.toHaveBeenCalled();
    expect(record).toMatchObject({ status: 'queued', attempts: 0 });
    expect(bench.cloud.sentTo('stable-normal')).toEqual([expect.objectContaining({ taskId: record.id })]);
    expect(bench.cloud.queueCalls[0]?.input.MessageSystemAttributes?.AWSTraceHeader?.StringValue).toBe(TRACE);
  });

  test('but not too often is run', async () => {
    const { record } = await bench.work(() => 'ok', { receives: 15 });
    expect(record.status).toBe('succeeded');
  });

  test('is left when the copy cannot be sent', async () => {
    bench.cloud.sqs = ({ operation }) =>
      operation === 'SendMessage' ? { status: 400, body: { __type: 'QueueDoesNotExist', message: 'no' } } : undefined;
    expect(await bench.work(() => 'never', { receives: 20 })).toMatchObject({
      deleted: false,
      record: { status: 'queued' },
    });
  });
});

describe('a task that is requeued', () => {
  /** Two steps; the second takes longer than the worker can run. */
  const twoSteps = async (ctx: Parameters<Parameters<Bench['work']>[0]>[0]) => {
    const first = await ctx.step('first', () => 1);
    const second = await ctx.step('second', async ({ signal }) => {
      await until(signal, 300);
      return 2;
    });
    return first + second;
  };

  test('near the end of its worker continues from its journal in another one, with a message of its own', async () => {
    const task = await bench.cloud.putTask();
    const { record, deleted } = await bench.deliver(task, twoSteps, { remainingMs: 200, trace: TRACE });
    expect(deleted).toBe(true);
    expect(record).toMatchObject({ status: 'queued', attempts: 1, uncounted: 1, lane: 'stable' });
    expect(bench.cloud.sentTo('stable-normal')).toEqual([expect.objectContaining({ taskId: task.id, lane: 'stable' })]);
    expect(bench.metric(WorkerMetric.REQUEUED)).toEqual([1]);

    expect(await bench.deliver(task, twoSteps)).toMatchObject({
      deleted: true,
      record: { status: 'succeeded', result: 3, attempts: 2 },
    });
    expect(bench.metric(WorkerMetric.REPLAYED_STEPS)).toEqual([1]);
  });

  test('times out instead when it got no step done', async () => {
    const { record } = await bench.work((ctx) => until(ctx.signal, 1_000), { remainingMs: 200 });
    expect(record).toMatchObject({ status: 'timed_out', error: { code: 'timed_out' } });
    expect(bench.metric(TaskMetric.ABORTED)).toEqual([1]);
  });

  test('comes back with its old message when the new one cannot be sent', async () => {
    bench.cloud.sqs = ({ operation }) =>
      operation === 'SendMessage' ? { status: 400, body: { __type: 'QueueDoesNotExist', message: 'no' } } : undefined;
    const { record, deleted } = await bench.work(twoSteps, { remainingMs: 200 });
    expect(deleted).toBe(false);
    expect(record.status).toBe('queued');
    expect(bench.cloud.hidden()).toEqual([0]);
  });
});

describe('a release that was revoked with its running tasks', () => {
  const SPEED = 30;
  const rollout = (changes: Partial<RolloutItem> = {}): RolloutItem => ({
    id: 'rollout-1',
    target: { release: RELEASE, workerVersion: '2', routerVersion: '2' },
    status: 'rolled_back',
    startedAt: 1,
    endedAt: 2,
    revoked: true,
    ...changes,
  });
  const long = (ctx: Parameters<Parameters<Bench['work']>[0]>[0]) => until(ctx.signal, 1_300).then(() => 'ok');

  test('hands them to the stable lane at the next heartbeat', async () => {
    bench.fast(SPEED);
    await bench.cloud.putRollout(rollout());
    const { record, deleted } = await bench.work(long, { task: { lane: 'candidate' } });
    expect(deleted).toBe(true);
    expect(record).toMatchObject({ status: 'queued', lane: 'stable', uncounted: 1 });
    expect(bench.cloud.sentTo('stable-normal')).toEqual([
      expect.objectContaining({ taskId: record.id, lane: 'stable' }),
    ]);
    expect(bench.metric(WorkerMetric.REQUEUED)).toEqual([1]);
    expect(bench.output.metrics()[0]).toMatchObject({ Lane: 'candidate' });
  });

  test.each([
    ['is in progress', 'candidate', rollout({ status: 'in_progress', revoked: false })],
    ['lets running tasks finish', 'candidate', rollout({ revoked: false })],
    ['was of another release', 'candidate', rollout({ target: { ...rollout().target, release: 'r-ffffffffffff' } })],
    ['is not where the task runs', 'stable', rollout()],
  ] as const)('leaves them where the rollout %s', async (_, lane, item) => {
    bench.fast(SPEED);
    await bench.cloud.putRollout(item);
    const { record } = await bench.work(long, { task: { lane } });
    expect(record).toMatchObject({ status: 'succeeded', lane });
  });

  test('a rollout that cannot be read changes nothing', async () => {
    bench.fast(SPEED);
    await bench.cloud.putRollout(rollout());
    bench.cloud.wire.fault = ({ body }) => (body.includes(ControlKey.rollout.pk) ? 'refuse' : undefined);
    const { record } = await bench.work(long, { task: { lane: 'candidate' } });
    expect(record.status).toBe('succeeded');
    expect(bench.output.log('it could not be checked whether the release is revoked')).toBeDefined();
  });

  test('a message in the lane that the task has left is replaced by one in its new lane', async () => {
    const task = await bench.cloud.putTask({ lane: 'stable' });
    const run = jest.fn();
    const { record, deleted } = await bench.deliver({ ...task, lane: 'candidate' }, run);
    expect(deleted).toBe(true);
    expect(run).not.toHaveBeenCalled();
    expect(record).toMatchObject({ status: 'queued', attempts: 0 });
    expect(bench.cloud.sentTo('stable-normal')).toEqual([expect.objectContaining({ lane: 'stable' })]);
  });

  test('a message in the lane that a running task has left is deleted: the task has another', async () => {
    const lease = { token: 'other', expiresAt: Date.now() + 30_000 };
    const task = await bench.cloud.putTask({ lane: 'stable', status: 'running', attempts: 2, lease });
    expect(await bench.deliver({ ...task, lane: 'candidate' }, jest.fn())).toMatchObject({ deleted: true });
    expect(bench.cloud.queueCalls).toEqual([]);
  });
});

test('a duplicate of a task that is held comes back when the lease has run out', async () => {
  const lease = { token: 'other', expiresAt: Date.now() + 60_000 };
  const { deleted } = await bench.work(() => 'never', { task: { status: 'running', attempts: 1, lease } });
  expect(deleted).toBe(false);
  expect(bench.cloud.hidden()[0]).toBeGreaterThan(60);
  expect(bench.cloud.hidden()[0]).toBeLessThanOrEqual(65);
});

describe('the tasks of one user', () => {
  const limited = { [Env.MAX_IN_FLIGHT_PER_USER]: '2', [Env.WORKER_TIMEOUT_SECONDS]: '60' };

  test('beyond the most that may run at once wait without being claimed', async () => {
    const user = 'noisy-1';
    let third: Awaited<ReturnType<Bench['work']>> | undefined;
    let other: Awaited<ReturnType<Bench['work']>> | undefined;
    const first = await bench.work(
      async () => {
        await bench.work(
          async () => {
            third = await bench.work(() => 'third', { task: { user } });
            other = await bench.work(() => 'other', { task: { user: 'quiet-1' } });
          },
          { task: { user } },
        );
      },
      { task: { user }, settings: limited },
    );
    expect(first.record.status).toBe('succeeded');
    expect(third).toMatchObject({ deleted: false, record: { status: 'queued', attempts: 0 } });
    expect(other).toMatchObject({ record: { status: 'succeeded' } });
    expect(bench.cloud.hidden()).toHaveLength(1);
    // All slots are free again.
    expect(await bench.work(() => bench.work(() => 'x', { task: { user } }), { task: { user } })).toMatchObject({
      record: { status: 'succeeded' },
    });
  });

  test('are not kept out by a worker that went away: its task takes its slot again, others wait until it ends', async () => {
    const user = 'noisy-2';
    const one = { [Env.MAX_IN_FLIGHT_PER_USER]: '1' };
    const task = await bench.cloud.putTask({ user });
    // A worker that takes the slot, and whose end never comes through.
    bench.cloud.wire.fault = ({ operation, body }) =>
      operation === 'UpdateItem' && (body.includes('finishedAt') || body.includes('REMOVE')) ? 'refuse' : undefined;
    expect(await bench.deliver(task, () => 'lost', { settings: one })).toMatchObject({ deleted: false });
    bench.cloud.wire.fault = () => undefined;
    expect((await bench.work(() => 'no', { task: { user } })).record.attempts).toBe(0);

    const cloudEpochMs = Date.now() + 100_000;
    process.env[Env.CLOCK] = JSON.stringify({ realEpochMs: Date.now(), cloudEpochMs, speed: 1 });
    expect(await bench.deliver(task, () => 'again')).toMatchObject({ record: { status: 'succeeded', attempts: 2 } });
    expect((await bench.work(() => 'yes', { task: { user } })).record.status).toBe('succeeded');
  });

  test('keep their slot when a duplicate of their message is delivered while they run', async () => {
    const user = 'noisy-4';
    const settings = { [Env.MAX_IN_FLIGHT_PER_USER]: '1' };
    let other: Awaited<ReturnType<Bench['work']>> | undefined;
    const task = await bench.cloud.putTask({ user });
    const { record } = await bench.deliver(
      task,
      async () => {
        expect(await bench.deliver(task, () => 'twice')).toMatchObject({ deleted: false });
        other = await bench.work(() => 'no', { task: { user } });
        return 'once';
      },
      { settings },
    );
    expect(record).toMatchObject({ status: 'succeeded', result: 'once', attempts: 1 });
    expect(other?.record.attempts).toBe(0);
    expect((await bench.work(() => 'yes', { task: { user } })).record.status).toBe('succeeded');
  });

  test('get the slot of a worker that went away once it cannot live any more', async () => {
    const user = 'noisy-3';
    const one = { [Env.MAX_IN_FLIGHT_PER_USER]: '1' };
    bench.cloud.wire.fault = ({ operation, body }) =>
      operation === 'UpdateItem' && (body.includes('finishedAt') || body.includes('REMOVE')) ? 'refuse' : undefined;
    await bench.work(() => 'lost', { settings: one, task: { user } });
    bench.cloud.wire.fault = () => undefined;
    const cloudEpochMs = Date.now() + 200_000;
    process.env[Env.CLOCK] = JSON.stringify({ realEpochMs: Date.now(), cloudEpochMs, speed: 1 });
    expect((await bench.work(() => 'yes', { task: { user } })).record.status).toBe('succeeded');
  });
});
