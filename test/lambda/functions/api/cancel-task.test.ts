import type { StatusApiDeps } from '../../../../lambda/functions/api/status-api';
import { cancelResponseSchema, errorResponseSchema, type TaskRecord } from '../../../../lib/contract';
import { awsError, OUTAGES, START } from '../../shared/support/fakes';
import { TestApi } from './support';

const webhook = { url: 'https://example.com' };

let api: TestApi;
beforeAll(async () => {
  api = await TestApi.start();
});
afterAll(() => api.close());

const cancel = (on: TestApi, id: string) => on.ask({ method: 'DELETE', id });

/** The real writes, with something done right before each. */
function disturbed(before: (id: string, call: number) => Promise<void>, lost = false): StatusApiDeps['tasks'] {
  const real = api.props.tasks;
  let calls = 0;
  const around = async <T>(id: string, write: () => Promise<T>): Promise<T> => {
    calls += 1;
    await before(id, calls);
    const result = await write();
    return lost && calls === 1 ? await write() : result;
  };
  return api.tasksWith({
    cancelQueued: (id, end) => around(id, () => real.cancelQueued(id, end)),
    requestCancellation: (id, now) => around(id, () => real.requestCancellation(id, now)),
  });
}

test('a queued task ends here and now', async () => {
  const one = api.with({});
  const { id } = await one.put({ attempts: 2, lease: { token: 'old', expiresAt: 1 } });
  const { status, body } = await cancel(one, id);
  expect(status).toBe(200);
  expect(cancelResponseSchema.parse(body)).toEqual({ id, status: 'cancelled', links: { self: `/tasks/${id}` } });
  await expect(one.task(id)).resolves.toMatchObject({
    status: 'cancelled',
    finishedAt: START,
    endedBy: 'api',
    error: { code: 'cancelled', message: 'the task was cancelled by its caller' },
    attempts: 2,
    expiresAt: START / 1000 + 7 * 24 * 60 * 60,
  });
  expect(one.metrics).toEqual([
    { Agent: 'support', Lane: 'candidate', TasksCancelledInQueue: 1, sets: [['Agent'], ['Agent', 'Lane']] },
  ]);
  expect(one.announced).toEqual([]);
});

test('a running task is left to its worker, which finds word of it', async () => {
  const one = api.with({});
  const { id } = await one.put({ status: 'running', attempts: 1, lease: { token: 'x', expiresAt: START } });
  const { status, body } = await cancel(one, id);
  expect(status).toBe(202);
  expect(cancelResponseSchema.parse(body).status).toBe('running');
  one.clock.time += 1_000;
  expect((await cancel(one, id)).status).toBe(202);
  await expect(one.task(id)).resolves.toMatchObject({ status: 'running', cancelRequestedAt: START });
  expect(one.metrics).toEqual([]);
});

test('cancelling again changes nothing', async () => {
  const one = api.with({});
  const { id } = await one.put();
  await cancel(one, id);
  const ended = await one.task(id);
  one.clock.time += 1_000;
  expect((await cancel(one, id)).status).toBe(200);
  await expect(one.task(id)).resolves.toEqual(ended);
  expect(one.metrics).toHaveLength(1);
});

test.each<TaskRecord['status']>(['succeeded', 'failed', 'timed_out'])(
  'refuses to cancel a task that is %s',
  async (status) => {
    const task = await api.put({ status, finishedAt: START });
    const { response, body } = await cancel(api, task.id);
    expect(response.statusCode).toBe(409);
    expect(errorResponseSchema.parse(body).error).toMatchObject({
      code: 'conflict',
      message: expect.stringContaining(status),
    });
    await expect(api.task(task.id)).resolves.toEqual(task);
  },
);

describe('a webhook', () => {
  test('is sent on its way when the task was cancelled in its queue', async () => {
    const one = api.with({});
    const { id } = await one.put({ webhook });
    await cancel(one, id);
    expect(one.announced).toEqual([id]);
  });

  test('that could not be sent on its way is sent by the repeat; the task is cancelled all the same', async () => {
    const { id } = await api.put({ webhook });
    const broken = api.with({ webhooks: { announce: () => Promise.reject(awsError('ServiceUnavailable', 503)) } });
    expect((await cancel(broken, id)).status).toBe(503);
    await expect(api.task(id)).resolves.toMatchObject({ status: 'cancelled' });
    const whole = api.with({});
    expect((await cancel(whole, id)).status).toBe(200);
    expect(whole.announced).toEqual([id]);
  });

  test.each(['webhookDeliveredAt', 'webhookAbandonedAt'])('is not sent again after %s', async (field) => {
    const one = api.with({});
    const { id } = await one.put({ status: 'cancelled', webhook, [field]: START });
    expect((await cancel(one, id)).status).toBe(200);
    expect(one.announced).toEqual([]);
  });
});

describe('a task that changes hands meanwhile', () => {
  const running = { status: 'running', attempts: 1, lease: { token: 'x', expiresAt: START } } as const;

  test('is left to the worker that claimed it', async () => {
    const task = await api.put();
    const one = api.with({
      tasks: disturbed(async (_, call) => {
        if (call === 1) {
          await api.write({ ...task, ...running });
        }
      }),
    });
    expect((await cancel(one, task.id)).status).toBe(202);
    await expect(api.task(task.id)).resolves.toMatchObject({ status: 'running', cancelRequestedAt: START });
    expect(one.metrics).toEqual([]);
  });

  test('is cancelled in the queue to which its worker returned it', async () => {
    const task = await api.put(running);
    const one = api.with({
      tasks: disturbed(async (_, call) => {
        if (call === 1) {
          await api.write({ ...task, status: 'queued' });
        }
      }),
    });
    expect((await cancel(one, task.id)).status).toBe(200);
    await expect(api.task(task.id)).resolves.toMatchObject({ status: 'cancelled', endedBy: 'api' });
  });

  test('keeps the end that its worker wrote', async () => {
    const task = await api.put(running);
    const ended: TaskRecord = { ...task, status: 'succeeded', finishedAt: START, result: 1 };
    const one = api.with({ tasks: disturbed(() => api.write(ended)) });
    expect((await cancel(one, task.id)).status).toBe(409);
    await expect(api.task(task.id)).resolves.toEqual(ended);
  });

  test('refuses as unavailable when it does not stop changing hands', async () => {
    const task = await api.put();
    const one = api.with({
      tasks: disturbed((_, call) =>
        api.write(call % 2 === 1 ? { ...task, ...running } : { ...task, status: 'queued' }),
      ),
    });
    expect((await cancel(one, task.id)).status).toBe(503);
  });
});

test('a write whose answer was lost is a cancellation all the same', async () => {
  const one = api.with({ tasks: disturbed(async () => {}, true) });
  const { id } = await one.put({ webhook });
  expect((await cancel(one, id)).status).toBe(200);
  expect(one.announced).toEqual([id]);
});

test.each(OUTAGES)('refuses as unavailable when the write meets %s', async (_, outage) => {
  const failing = { cancelQueued: () => Promise.reject(outage), requestCancellation: () => Promise.reject(outage) };
  const one = api.with({ tasks: api.tasksWith(failing) });
  for (const status of ['queued', 'running'] as const) {
    const task = await one.put({ status });
    expect((await cancel(one, task.id)).response).toMatchObject({ statusCode: 503, headers: { 'retry-after': '5' } });
    await expect(one.task(task.id)).resolves.toEqual(task);
  }
});

test('of any number of cancellations at once, one alone ends the task', async () => {
  const one = api.with({});
  const { id } = await one.put();
  const answers = await Promise.all(Array.from({ length: 8 }, () => cancel(one, id)));
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200));
  expect(one.metrics).toHaveLength(1);
  await expect(one.task(id)).resolves.toMatchObject({ status: 'cancelled' });
});
