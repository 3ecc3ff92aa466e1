import { FatalError, RetryableError } from '../../../lambda/runtime';
import { Env, TaskMetric, type TaskRecord } from '../../../lib/contract';
import { Bench, type Run, until } from './support/attempt-harness';
import { type QueueCall, WEBHOOKS } from './support/task-cloud';

const bench = new Bench();

/** Real milliseconds that each worker has. */
const REMAINING_MS = 700;

/** A worker that dies, or meets a store that does not answer, pauses between its tries: in real time that would be seconds. */
const SPEED = 20;

/** Long enough for every lease to have run out. */
const NEXT_DELIVERY_MS = 600_000;

const webhook = { url: 'https://example.com/told' };

/**
 * Lets the environment die at its nth call: from then on nothing it does comes through. With `arrives` the nth call still
 * does, but its answer does not.
 *
 * @param id of the task: what a dead worker of an earlier test still tries for another one does not count
 * @returns how many calls were made, those included that were refused
 */
function dieAt(id: string, nth: number, arrives: boolean): { readonly calls: () => number } {
  let calls = 0;
  bench.cloud.wire.fault = ({ body }) => {
    if (!body.includes(id)) {
      return undefined;
    }
    const call = calls;
    calls += 1;
    return call < nth ? undefined : call === nth && arrives ? 'lose' : 'refuse';
  };
  bench.cloud.sqs = (queueCall: QueueCall) => {
    const call = calls;
    calls += 1;
    if (call < nth) {
      return undefined;
    }
    if (call === nth && arrives) {
      bench.cloud.queueCalls.push(queueCall);
    }
    return { status: 500, body: { __type: 'InternalFailure', message: 'dead' } };
  };
  return { calls: () => calls };
}

function comeBack(): void {
  bench.cloud.wire.fault = () => undefined;
  bench.cloud.sqs = () => undefined;
}

interface Story {
  readonly run: Run;
  readonly task: Partial<TaskRecord>;
  readonly status: TaskRecord['status'];
  /** Calls of an undisturbed first delivery. */
  readonly calls: number;
  readonly deadLetters: boolean;
}

/** How often each step ran. */
const steps = new Map<string, number>();

const step = (name: string) => {
  steps.set(name, (steps.get(name) ?? 0) + 1);
  return name;
};

const stories: Record<string, Story> = {
  'a task that succeeds': {
    run: async (ctx) => `${await ctx.step('one', () => step('one'))} ${await ctx.step('two', () => step('two'))}`,
    task: { webhook },
    status: 'succeeded',
    calls: 5,
    deadLetters: false,
  },
  'a task that fails for good': {
    run: async (ctx) => {
      await ctx.step('one', () => step('one'));
      throw new FatalError('no such customer');
    },
    task: { webhook },
    status: 'failed',
    calls: 4,
    deadLetters: false,
  },
  'a task that fails in its last attempt': {
    run: async (ctx) => {
      await ctx.step('one', () => step('one'));
      throw new RetryableError('the warehouse is away');
    },
    task: { webhook, attempts: 2 },
    status: 'failed',
    calls: 7,
    deadLetters: true,
  },
  'a task that goes back and then succeeds': {
    run: async (ctx) => {
      await ctx.step('one', () => step('one'));
      if (ctx.task.attempt === 1) {
        throw new RetryableError('later');
      }
      return 'ok';
    },
    task: {},
    status: 'succeeded',
    calls: 4,
    deadLetters: false,
  },
  'a task that is handed over': {
    run: async (ctx) => {
      await ctx.step('one', () => step('one'));
      await until(ctx.signal, ctx.task.attempt === 1 ? 10_000 : 0);
      return 'ok';
    },
    task: {},
    status: 'succeeded',
    calls: 4,
    deadLetters: false,
  },
};

/** Delivers the message, and every copy that was sent, until the queue is empty. */
async function workOff(task: TaskRecord, run: Run): Promise<TaskRecord> {
  let now = Date.now();
  let messages = 1;
  let sent = 0;
  for (let round = 0; round < 8 && messages > 0; round += 1) {
    now += NEXT_DELIVERY_MS;
    process.env[Env.CLOCK] = JSON.stringify({ realEpochMs: Date.now(), cloudEpochMs: now, speed: 1 });
    const { deleted } = await bench.deliver(task, run, { receives: round + 2, remainingMs: REMAINING_MS });
    const copies = bench.cloud.sentTo('stable-normal').length;
    messages += copies - sent - (deleted ? 1 : 0);
    sent = copies;
  }
  expect(messages).toBe(0);
  return bench.cloud.task(task.id);
}

describe.each(Object.entries(stories))('%s', (_, { run, task: changes, status, calls, deadLetters }) => {
  const interruptions = Array.from({ length: calls }, (_, nth) => [true, false].map((arrives) => ({ nth, arrives })));

  test(`makes ${calls} calls in its first delivery`, async () => {
    const task = await bench.cloud.putTask(changes);
    const undisturbed = dieAt(task.id, Number.POSITIVE_INFINITY, false);
    await bench.deliver(task, run, { remainingMs: REMAINING_MS });
    expect(undisturbed.calls()).toBe(calls);
  });

  test.each(interruptions.flat())(
    'comes to its one end although its worker dies at call $nth (which arrives: $arrives)',
    async ({ nth, arrives }) => {
      steps.clear();
      bench.fast(SPEED);
      const task = await bench.cloud.putTask(changes);
      dieAt(task.id, nth, arrives);
      await bench.deliver(task, run, { remainingMs: REMAINING_MS });
      comeBack();
      const record = await workOff(task, run);
      expect(record.status).toBe(status);
      expect(bench.metric(TaskMetric.FINISHED).length).toBeLessThanOrEqual(1);
      expect(bench.cloud.sentTo(WEBHOOKS).length > 0).toBe(changes.webhook !== undefined);
      expect(bench.cloud.sentTo('stable-dead').length > 0).toBe(deadLetters);
      // A step whose end was not written runs again; no other does.
      expect([...steps.values()].reduce((sum, times) => sum + times - 1, 0)).toBeLessThanOrEqual(1);
    },
  );
});
