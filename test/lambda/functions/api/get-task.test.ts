import { PayloadLostError } from '../../../../lambda/shared/tasks/payload-store';
import type { BacklogItem, TaskRecord } from '../../../../lib/contract';
import { errorResponseSchema, taskResponseSchema } from '../../../../lib/contract';
import { awsError, OUTAGES, START } from '../../shared/support/fakes';
import { RELEASE, TestApi } from './support';

const usage = { modelCalls: 1, toolCalls: 2, inputTokens: 3, outputTokens: 4, cost: 0.5 };
const REF = { key: 'tasks/t/result-1.json', bytes: 10, sha256: '0'.repeat(64) };

let api: TestApi;
beforeAll(async () => {
  api = await TestApi.start();
});
afterAll(() => api.close());

test.each<[TaskRecord['status'], Partial<TaskRecord>, Record<string, unknown>]>([
  ['queued', { deadlineAt: START + 60_000 }, { attempts: 0, deadline: '2026-01-01T00:01:00.000Z' }],
  [
    'running',
    {
      release: RELEASE,
      startedAt: START + 1_000,
      attempts: 2,
      uncounted: 1,
      lease: { token: 'x', expiresAt: 1 },
      cancelRequestedAt: START,
    },
    { release: RELEASE, startedAt: '2026-01-01T00:00:01.000Z', attempts: 2, cancelRequested: true },
  ],
  [
    'succeeded',
    { finishedAt: START + 2_000, attempts: 1, result: { answer: [1, null] }, usage, endedBy: 'token', score: 1 },
    { finishedAt: '2026-01-01T00:00:02.000Z', attempts: 1, result: { answer: [1, null] }, usage },
  ],
  [
    'failed',
    {
      finishedAt: START,
      attempts: 5,
      error: { code: 'limit_exceeded', message: 'why' },
      usage,
      exhausted: true,
      webhook: { url: 'https://example.com' },
    },
    { finishedAt: '2026-01-01T00:00:00.000Z', attempts: 5, error: { code: 'limit_exceeded', message: 'why' }, usage },
  ],
  [
    'timed_out',
    { finishedAt: START, error: { code: 'timed_out', message: 'why' } },
    { finishedAt: '2026-01-01T00:00:00.000Z', attempts: 0, error: { code: 'timed_out', message: 'why' } },
  ],
])('a %s task is shown with what a caller may see, and no more', async (status, changes, shown) => {
  const { id } = await api.put({ status, ...changes });
  const { response, body } = await api.ask({ id });
  expect(response.statusCode).toBe(200);
  expect(response.headers['cache-control']).toBe('no-store');
  expect(taskResponseSchema.parse(body)).toEqual({
    id,
    status,
    priority: 'low',
    createdAt: '2026-01-01T00:00:00.000Z',
    links: { self: `/tasks/${id}` },
    ...shown,
  });
});

test('a large result is read from the bucket, and leaves in base64', async () => {
  const result = Array.from({ length: 300_000 }, (_, index) => `"${index}"`);
  const { id } = await api.put({ status: 'succeeded', resultRef: REF });
  const { response, body } = await api
    .with({ payloads: { get: async (ref) => (ref === REF ? 0 : result) } })
    .ask({ id });
  expect(response.isBase64Encoded).toBe(true);
  expect(taskResponseSchema.parse(body)).toMatchObject({ status: 'succeeded', result });
});

test.each([
  ['unavailable', 503, awsError('SlowDown', 503)],
  ['internal', 500, new PayloadLostError('s3://payloads/tasks/t is gone')],
])('refuses as %s with status %d when the result cannot be had, without details', async (code, status, error) => {
  const { id } = await api.put({ status: 'succeeded', resultRef: REF });
  const other = api.with({ payloads: { get: () => Promise.reject(error) } });
  const { response, body } = await other.ask({ id });
  expect(response.statusCode).toBe(status);
  expect(errorResponseSchema.parse(body).error.code).toBe(code);
  expect(response.body).not.toContain('s3://');
  expect(other.logger.find('request refused').fields.error).toBe(error);
});

test('answers 500 with code task_unreadable, and logs the wrong attribute, when the record is damaged', async () => {
  const { id } = await api.put({ user: 7 as never });
  const other = api.with({});
  const { response, body } = await other.ask({ id });
  expect(response.statusCode).toBe(500);
  expect(errorResponseSchema.parse(body).error.code).toBe('task_unreadable');
  expect(response.body).not.toContain('again');
  const line = other.logger.find('request refused');
  expect(line.level).toBe('error');
  expect(line.fields.error).toMatchObject({
    name: 'TaskUnreadableError',
    taskId: id,
    reason: 'user: Invalid input: expected string, received number',
  });
});

describe('the place in line', () => {
  const queue = (waiting: number, oldestSeconds?: number) => ({
    waiting,
    inFlight: 3,
    oldestSeconds,
  });
  const lane = { high: queue(10, 1), normal: queue(20, 2), low: queue(30, 3) };
  const snapshot = (low: BacklogItem['queues']['stable']['low']): BacklogItem => ({
    takenAt: START - 1_000,
    sequence: 1,
    queues: { stable: lane, candidate: { ...lane, low } },
  });

  test.each([
    [queue(7, 40), { backlog: 7, oldestSeconds: 40, asOf: '2025-12-31T23:59:59.000Z' }],
    [queue(7), { backlog: 7, asOf: '2025-12-31T23:59:59.000Z' }],
    // The task came after the count.
    [queue(0), { backlog: 1, asOf: '2025-12-31T23:59:59.000Z' }],
  ])('in a queue of %j is %j', async (low, place) => {
    const { id } = await api.put();
    const { body } = await api.with({ backlog: { current: async () => snapshot(low) } }).ask({ id });
    expect(taskResponseSchema.parse(body).queue).toEqual(place);
  });

  test('is asked for only by tasks that are in one', async () => {
    const current = jest.fn(async () => snapshot(queue(1)));
    const { id } = await api.put({ status: 'running' });
    const { body } = await api.with({ backlog: { current } }).ask({ id });
    expect(body.queue).toBeUndefined();
    expect(current).not.toHaveBeenCalled();
  });
});

test('the owner of a token sees the own task', async () => {
  const { id } = await api.put();
  expect((await api.with({ auth: 'jwt' }).ask({ id, subject: 'alice' })).status).toBe(200);
});

const HIDDEN: readonly [string, Partial<TaskRecord>, string | undefined, 'iam' | 'jwt'][] = [
  ["another user's task", {}, 'bob', 'jwt'],
  ['a task asked for without a subject', {}, undefined, 'jwt'],
  ['a probe', { mode: 'probe' }, undefined, 'iam'],
  ['a shadow', { mode: 'shadow' }, undefined, 'iam'],
  ['a task past its expiry', { expiresAt: START / 1000 - 1 }, undefined, 'iam'],
];

describe.each(['GET', 'DELETE', 'POST'])('by %s', (method) => {
  const request = (id: string) => ({ method, id, ...(method === 'POST' ? { path: `/tasks/${id}/feedback` } : {}) });

  test.each(HIDDEN)('refuses %s as not found, and leaves it as it is', async (_, changes, subject, auth) => {
    const task = await api.put(changes);
    const other = api.with({ auth });
    const asked = { ...request(task.id), body: { thumb: 'up' }, ...(subject === undefined ? {} : { subject }) };
    const { status, body } = await other.ask(asked);
    expect(status).toBe(404);
    expect(errorResponseSchema.parse(body).error.code).toBe('not_found');
    await expect(api.task(task.id)).resolves.toEqual(task);
    // An answer does not tell a foreign task from one that is not there.
    const none = `t-${'f'.repeat(32)}`;
    const missing = await other.ask({ ...asked, ...request(none) });
    expect(JSON.stringify(missing.body).replaceAll(none, task.id)).toBe(JSON.stringify(body));
  });

  test('refuses an id that cannot be one, without asking the store', async () => {
    const tasks = api.tasksWith({ get: () => Promise.reject(new Error('not to be asked')) });
    expect((await api.with({ tasks }).ask({ ...request('nonsense'), body: { thumb: 'up' } })).status).toBe(404);
  });

  test.each(OUTAGES)('refuses as unavailable when the store has %s', async (_, outage) => {
    const other = api.with({ tasks: api.tasksWith({ get: () => Promise.reject(outage) }) });
    const { response, body } = await other.ask({ ...request(`t-${'a'.repeat(32)}`), body: { thumb: 'up' } });
    expect(response).toMatchObject({ statusCode: 503, headers: { 'retry-after': '5' } });
    expect(errorResponseSchema.parse(body).error.code).toBe('unavailable');
    expect(other.logger.find('request refused').fields.error).toBe(outage);
  });

  test('refuses as internal what asking again would not fix, without details', async () => {
    const tasks = api.tasksWith({ get: () => Promise.reject(awsError('AccessDeniedException')) });
    const { response } = await api.with({ tasks }).ask({ ...request(`t-${'a'.repeat(32)}`), body: { thumb: 'up' } });
    expect(response.statusCode).toBe(500);
    expect(response.body).not.toContain('AccessDenied');
  });
});

test.each([
  ['PUT', ''],
  ['POST', ''],
  ['GET', '/feedback'],
  ['DELETE', '/feedback'],
])('refuses %s /tasks/{id}%s, and says what there is', async (method, below) => {
  const { id } = await api.put();
  const { status, body } = await api.ask({ method, id, path: `/tasks/${id}${below}` });
  expect(status).toBe(404);
  expect(errorResponseSchema.parse(body).error.message).toContain('cancelled by DELETE /tasks/{id}');
});
