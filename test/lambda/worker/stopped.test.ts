import { z } from 'zod';
import { type AgentContext, defineAgent, type StepCall } from '../../../lambda/runtime';
import { RetryableError, TaskRequeuedError } from '../../../lambda/runtime/errors';
import { sqsRecordSchema } from '../../../lambda/shared/aws/sqs-event';
import { createTaskProcessor } from '../../../lambda/worker/create-task-processor';
import { DIMENSION_SETS, type TaskRecord, WorkerMetric } from '../../../lib/contract';
import { Bench, until } from './support/attempt-harness';
import { messageFor } from './support/task-cloud';

const bench = new Bench();

/** Runs the task in a worker that may be told to stop. */
async function work(task: TaskRecord, run: (ctx: AgentContext) => unknown, stop?: AbortSignal, receives = 1) {
  const worker = createTaskProcessor(
    defineAgent({ input: z.json(), probe: { input: null }, run: (_, ctx) => run(ctx) }),
  );
  const message = sqsRecordSchema.parse(messageFor(task, { receives }));
  const verdict = await worker.process(message, () => 60_000, stop);
  return { verdict, record: await bench.cloud.task(task.id) };
}

describe('a worker that is told to stop', () => {
  const wait = ({ signal }: StepCall) => until(signal, 20_000);

  test('hands its task back at once, with what it has finished, and uses no attempt', async () => {
    const stop = new AbortController();
    const task = await bench.cloud.putTask();
    const { verdict, record } = await work(
      task,
      async (ctx) => {
        await ctx.step('done', () => 1);
        await ctx.step('long', async (call) => {
          stop.abort(new TaskRequeuedError('worker_stopping'));
          await wait(call);
        });
      },
      stop.signal,
    );
    expect(record).toMatchObject({ status: 'queued', attempts: 1, uncounted: 1 });
    // A message of its own for the next worker, so the one at hand is done with.
    expect(verdict).toBe('delete');
    expect(bench.cloud.sentTo('stable-normal')).toMatchObject([{ taskId: task.id, lane: 'stable' }]);
    expect(bench.output.log('requeued')).toMatchObject({ code: 'worker_stopping' });
    expect(bench.metric(WorkerMetric.REQUEUED)).toEqual([1]);

    const steps: string[] = [];
    const next = await work(record, async (ctx) => {
      for (const name of ['done', 'long']) {
        await ctx.step(name, () => steps.push(name));
      }
      return 'finished';
    });
    expect(next.record).toMatchObject({ status: 'succeeded', attempts: 2 });
    expect(steps).toEqual(['long']);
  });

  test('requeues a task that got nothing done, too: it would have had its time elsewhere', async () => {
    const stop = new AbortController();
    const task = await bench.cloud.putTask();
    const { record } = await work(
      task,
      async (ctx) => {
        stop.abort(new TaskRequeuedError('worker_stopping'));
        await until(ctx.signal, 20_000);
      },
      stop.signal,
    );
    expect(record).toMatchObject({ status: 'queued', uncounted: 1 });
  });

  test('before the agent ran does not run it', async () => {
    const run = jest.fn();
    const stop = AbortSignal.abort(new TaskRequeuedError('worker_stopping'));
    const { record } = await work(await bench.cloud.putTask(), run, stop);
    expect(run).not.toHaveBeenCalled();
    expect(record).toMatchObject({ status: 'queued', uncounted: 1 });
  });

  test('after the task has ended changes nothing', async () => {
    const stop = new AbortController();
    const { record } = await work(await bench.cloud.putTask(), () => 'done', stop.signal);
    stop.abort(new TaskRequeuedError('worker_stopping'));
    expect(record.status).toBe('succeeded');
  });

  test('for another reason does with its task what the reason says', async () => {
    const stop = AbortSignal.abort(new RetryableError('the agent hangs', { code: 'agent_unhealthy' }));
    const { record, verdict } = await work(await bench.cloud.putTask(), () => 1, stop);
    expect(record).toMatchObject({ status: 'queued', attempts: 1 });
    expect(record.uncounted).toBeUndefined();
    expect(verdict).toBe('leave');
    expect(bench.metric(WorkerMetric.RETRIED)).toEqual([1]);
  });

  test('hands a probe back, so that the preflight need not wait for its lease', async () => {
    const stop = new AbortController();
    const task = await bench.cloud.putTask({ mode: 'probe', lane: 'candidate', priority: 'high' });
    const { record, verdict } = await work(
      task,
      async (ctx) => {
        stop.abort(new TaskRequeuedError('worker_stopping'));
        await until(ctx.signal, 20_000);
      },
      stop.signal,
    );
    expect(record).toMatchObject({ status: 'queued', uncounted: 1 });
    expect(verdict).toBe('delete');
    expect(bench.cloud.sentTo('candidate-high')).toHaveLength(1);
  });
});

describe('an attempt that no worker ended', () => {
  const abandoned = () => {
    const now = Date.now();
    return { status: 'running', attempts: 1, lease: { token: 'gone', expiresAt: now - 1 } } as const;
  };

  test('is counted by the worker that claims the task next, in the dimension sets of the contract', async () => {
    const { record } = await work(await bench.cloud.putTask(abandoned()), () => 'done');
    expect(record).toMatchObject({ status: 'succeeded', attempts: 2, claimedFrom: 'running' });
    expect(bench.metric(WorkerMetric.ABANDONED)).toEqual([1]);
    const line = bench.output.metrics().find((each) => WorkerMetric.ABANDONED in each);
    expect(line?._aws.CloudWatchMetrics[0]?.Dimensions).toEqual(DIMENSION_SETS.map((set) => [...set]));
    expect(bench.output.log('lease of the last attempt expired without a report')).toMatchObject({ attempt: 1 });
  });

  test.each([
    ['a first attempt', {}],
    ['one after a retry', { attempts: 2, lease: { token: 'x', expiresAt: 1 } }],
    ['one after a hand-over', { attempts: 1, uncounted: 1, lease: { token: 'x', expiresAt: 1 } }],
  ])('is not what %s comes after', async (_, task) => {
    const { record } = await work(await bench.cloud.putTask(task), () => 'done');
    expect(record.claimedFrom).toBe('queued');
    expect(bench.metric(WorkerMetric.ABANDONED)).toEqual([]);
  });

  test('of a probe is not counted', async () => {
    const probe = { mode: 'probe', lane: 'candidate', priority: 'high' } as const;
    await work(await bench.cloud.putTask({ ...abandoned(), ...probe }), () => 'done');
    expect(bench.metric(WorkerMetric.ABANDONED)).toEqual([]);
  });
});
