import { PutCommand } from '@aws-sdk/lib-dynamodb';
import {
  HEARTBEAT_MS,
  LEASE_MS,
  TaskKey,
  type TaskRecord,
  VISIBILITY_BEYOND_LEASE_MS,
  WorkerMetric,
} from '../../../../lib/contract';
import { Bench, until } from '../support/attempt-harness';
import { TASKS } from '../support/task-cloud';

const bench = new Bench();

/** Of the cloud's time against the real one; a heartbeat is due every second. */
const SPEED = 30;
const HEARTBEAT_REAL_MS = HEARTBEAT_MS / SPEED;

async function overwrite(task: TaskRecord): Promise<void> {
  const Item = { ...TaskKey.task(task.id), ...task };
  await bench.cloud.documents.send(new PutCommand({ TableName: TASKS, Item }));
}

test('a task that is done before a heartbeat is due costs no renewal', async () => {
  bench.fast(SPEED);
  const { record } = await bench.work(() => 'ok');
  expect(record.status).toBe('succeeded');
  expect(bench.cloud.queueCalls).toEqual([]);
});

test('a longer task renews its lease and hides its message, until it is done', async () => {
  bench.fast(SPEED);
  const leases: (number | undefined)[] = [];
  const { record, deleted } = await bench.work(async (ctx) => {
    for (let beat = 0; beat < 3; beat += 1) {
      leases.push((await bench.cloud.task(ctx.task.id)).lease?.expiresAt);
      await until(ctx.signal, HEARTBEAT_REAL_MS * 1.2);
    }
    return 'ok';
  });
  expect(deleted).toBe(true);
  expect(record).toMatchObject({ status: 'succeeded', attempts: 1, result: 'ok' });
  expect(new Set(leases).size).toBe(3);
  const renewed = leases.map((expiresAt) => expiresAt ?? 0);
  expect(renewed).toEqual([...renewed].sort((a, b) => a - b));
  const hidden = bench.cloud.hidden();
  expect(hidden.length).toBeGreaterThanOrEqual(2);
  expect(new Set(hidden)).toEqual(new Set([(LEASE_MS + VISIBILITY_BEYOND_LEASE_MS) / 1000]));
});

test('a heartbeat that cannot hide the message is logged, and the task continues', async () => {
  bench.fast(SPEED);
  bench.cloud.sqs = () => ({ status: 400, body: { __type: 'com.amazonaws.sqs#InvalidParameterValue', message: 'no' } });
  const { record } = await bench.work((ctx) => until(ctx.signal, HEARTBEAT_REAL_MS * 1.3).then(() => 'ok'));
  expect(record.status).toBe('succeeded');
  expect(bench.output.log('the visibility timeout of the message was not extended')).toMatchObject({
    component: 'heartbeat',
  });
});

test('a task that was cancelled while it runs ends at the next heartbeat', async () => {
  bench.fast(SPEED);
  const { record, deleted } = await bench.work(async (ctx) => {
    const task = await bench.cloud.task(ctx.task.id);
    await overwrite({ ...task, cancelRequestedAt: task.startedAt ?? 0 });
    await until(ctx.signal, 10 * HEARTBEAT_REAL_MS);
    return 'never';
  });
  expect(deleted).toBe(true);
  expect(record).toMatchObject({ status: 'cancelled', error: { code: 'cancelled' } });
  expect(record.result).toBeUndefined();
});

test('a worker that finds its lease taken stops, writes nothing, and is counted', async () => {
  bench.fast(SPEED);
  const lease = { token: 'another', expiresAt: Date.now() + 86_400_000 };
  const { record, deleted } = await bench.work(async (ctx) => {
    await overwrite({ ...(await bench.cloud.task(ctx.task.id)), attempts: 2, lease });
    await until(ctx.signal, 10 * HEARTBEAT_REAL_MS);
    return 'never';
  });
  expect(deleted).toBe(false);
  expect(record).toMatchObject({ status: 'running', attempts: 2, lease });
  expect(bench.metric(WorkerMetric.LATE)).toEqual([1]);
});

test('a worker whose heartbeats do not come through stops before its lease ends, and leaves the task', async () => {
  bench.fast(SPEED);
  let elapsed = 0;
  const { record, deleted } = await bench.work(async (ctx) => {
    const started = performance.now();
    bench.cloud.wire.fault = ({ operation }) => (operation === 'UpdateItem' ? 'refuse' : undefined);
    try {
      await until(ctx.signal, 10_000);
    } finally {
      elapsed = performance.now() - started;
      bench.cloud.wire.fault = () => undefined;
    }
    return 'never';
  });
  expect(elapsed).toBeLessThan(LEASE_MS / SPEED);
  expect(deleted).toBe(false);
  expect(record.status).toBe('running');
  expect(bench.output.log('the lease was not renewed')).toMatchObject({ component: 'heartbeat', level: 'WARN' });
  expect(bench.metric(WorkerMetric.LATE)).toEqual([1]);
});

test('a result that comes after the process was frozen for longer than its lease is not written', async () => {
  bench.fast(SPEED);
  const { record, deleted } = await bench.work(() => {
    // Nothing else runs meanwhile, timers neither: as in a frozen process.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, (LEASE_MS / SPEED) * 1.1);
    return 'late';
  });
  expect(deleted).toBe(false);
  expect(record.status).toBe('running');
  expect(record.result).toBeUndefined();
  expect(bench.metric(WorkerMetric.LATE)).toEqual([1]);
});
