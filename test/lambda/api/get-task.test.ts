import { getTask } from '../../../lambda/api/get-task';
import type { HttpEvent } from '../../../lambda/common/http';
import { errorResponseSchema, type TaskRecord, taskResponseSchema } from '../../../lib/contract';
import { awsError, CapturedLog, OUTAGES, START } from '../common/support/fakes';

const ID = `t-${'a'.repeat(32)}`;
const usage = { modelCalls: 1, toolCalls: 2, inputTokens: 3, outputTokens: 4, cost: 0.5 };

function task(changes: Partial<TaskRecord> = {}): TaskRecord {
  return {
    id: ID,
    agent: 'support',
    status: 'queued',
    mode: 'live',
    lane: 'candidate',
    priority: 'low',
    user: 'alice',
    session: 's',
    requestDigest: 'd',
    input: { secret: 'input' },
    createdAt: START,
    attempts: 0,
    expiresAt: 1,
    ...changes,
  };
}

interface Given {
  readonly auth?: 'iam' | 'jwt';
  readonly subject?: string;
  readonly id?: string;
  readonly method?: string;
  readonly get?: (id: string) => Promise<TaskRecord | undefined>;
}

async function ask({ auth = 'iam', subject, id = ID, method = 'GET', get = async () => task() }: Given = {}) {
  const event: HttpEvent = {
    rawPath: `/tasks/${id}`,
    pathParameters: { id },
    requestContext: {
      http: { method, path: `/tasks/${id}` },
      ...(subject === undefined ? {} : { authorizer: { jwt: { claims: { sub: subject } } } }),
    },
  };
  const logger = new CapturedLog();
  const response = await getTask(event, { tasks: { get }, auth, logger });
  return { response, body: JSON.parse(response.body), logger };
}

test.each<[TaskRecord['status'], Partial<TaskRecord>, Record<string, unknown>]>([
  ['queued', {}, {}],
  [
    'running',
    { release: 'r-0123456789ab', startedAt: START + 1_000, attempts: 1, lease: { token: 'x', expiresAt: 1 } },
    { release: 'r-0123456789ab', startedAt: '2026-01-01T00:00:01.000Z' },
  ],
  [
    'succeeded',
    { finishedAt: START + 2_000, result: { answer: [1, null] }, usage },
    { finishedAt: '2026-01-01T00:00:02.000Z', result: { answer: [1, null] }, usage },
  ],
  [
    'failed',
    { finishedAt: START, error: { code: 'limit_exceeded', message: 'why' }, usage },
    { finishedAt: '2026-01-01T00:00:00.000Z', error: { code: 'limit_exceeded', message: 'why' }, usage },
  ],
  [
    'timed_out',
    { finishedAt: START, error: { code: 'timed_out', message: 'why' } },
    { finishedAt: '2026-01-01T00:00:00.000Z', error: { code: 'timed_out', message: 'why' } },
  ],
])('a %s task is shown with what a caller may see, and no more', async (status, changes, shown) => {
  const { response, body } = await ask({ get: async () => task({ status, ...changes }) });
  expect(response.statusCode).toBe(200);
  expect(response.headers['cache-control']).toBe('no-store');
  expect(taskResponseSchema.parse(body)).toEqual({
    id: ID,
    status,
    priority: 'low',
    createdAt: '2026-01-01T00:00:00.000Z',
    links: { self: `/tasks/${ID}` },
    ...shown,
  });
});

test('the owner of a token sees the own task', async () => {
  expect((await ask({ auth: 'jwt', subject: 'alice' })).response.statusCode).toBe(200);
});

test.each<[string, Given]>([
  ["another user's task", { auth: 'jwt', subject: 'bob' }],
  ['a task asked for without a subject', { auth: 'jwt' }],
  ['an unknown id', { get: async () => undefined }],
  ['a probe', { get: async () => task({ mode: 'probe' }) }],
  ['a shadow', { get: async () => task({ mode: 'shadow' }) }],
  ['an id that cannot be one', { id: 'nonsense', get: () => Promise.reject(new Error('not to be asked')) }],
  ['another method', { method: 'DELETE', get: () => Promise.reject(new Error('not to be asked')) }],
])('refuses %s as not found', async (_, given) => {
  const { response, body } = await ask(given);
  expect(response.statusCode).toBe(404);
  expect(errorResponseSchema.parse(body).error.code).toBe('not_found');
});

test('a foreign task and one that does not exist are told apart by nobody', async () => {
  const foreign = await ask({ auth: 'jwt', subject: 'bob' });
  const none = await ask({ auth: 'jwt', subject: 'bob', get: async () => undefined });
  expect(foreign.response).toEqual(none.response);
});

test.each(OUTAGES)('refuses as unavailable when the store has %s', async (_, outage) => {
  const { response, body, logger } = await ask({ get: () => Promise.reject(outage) });
  expect(response).toMatchObject({ statusCode: 503, headers: { 'retry-after': '5' } });
  expect(errorResponseSchema.parse(body).error.code).toBe('unavailable');
  expect(logger.find('request refused').fields.error).toBe(outage);
});

test('refuses as internal what asking again would not mend, without details', async () => {
  const { response } = await ask({ get: () => Promise.reject(awsError('AccessDeniedException')) });
  expect(response.statusCode).toBe(500);
  expect(response.body).not.toContain('AccessDenied');
});
