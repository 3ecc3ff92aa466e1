import type { Feedback } from '../../../../lambda/functions/api/feedback-store';
import { errorResponseSchema, feedbackResponseSchema, sha256, type TaskRecord } from '../../../../lib/contract';
import { OUTAGES, START } from '../../shared/support/fakes';
import { RELEASE, TestApi } from './support';

const ENDED = { status: 'succeeded', release: RELEASE, attempts: 1, finishedAt: START } as const;

let api: TestApi;
beforeAll(async () => {
  api = await TestApi.start();
});
afterAll(() => api.close());

const judge = (on: TestApi, id: string, body: unknown, subject?: string) =>
  on.ask({ method: 'POST', id, path: `/tasks/${id}/feedback`, body, subject });

const judgmentOf = (id: string, user = 'alice') => api.props.feedback.get(id, sha256(user));

test.each([
  [{ thumb: 'up' }, 1],
  [{ thumb: 'down', comment: 'wrong' }, 0],
  [{ score: 0.25 }, 0.25],
  [{ score: 0.25, thumb: 'up' }, 0.25],
])('%j counts as %d', async (body, score) => {
  const one = api.with({});
  const task = await one.put(ENDED);
  const { status, body: answer } = await judge(one, task.id, body);
  expect(status).toBe(200);
  expect(feedbackResponseSchema.parse(answer)).toEqual({ id: task.id, score, links: { self: `/tasks/${task.id}` } });
  await expect(judgmentOf(task.id)).resolves.toEqual({ ...body, score, at: START, expiresAt: task.expiresAt });
  expect(one.metrics).toEqual([
    {
      Agent: 'support',
      Lane: 'candidate',
      Release: RELEASE,
      task: task.id,
      TaskQualityScore: score,
      sets: [['Agent'], ['Agent', 'Lane'], ['Agent', 'Release']],
    },
    { Agent: 'support', TaskFeedback: 1, sets: [['Agent']] },
  ]);
});

test.each<TaskRecord['status']>(['failed', 'timed_out', 'cancelled'])(
  'a task that is %s can be judged',
  async (status) => {
    const { id } = await api.put({ ...ENDED, status });
    expect((await judge(api, id, { thumb: 'down' })).status).toBe(200);
  },
);

test('the same judgment again changes nothing; another one of the same user takes its place', async () => {
  const one = api.with({});
  const { id } = await one.put(ENDED);
  await judge(one, id, { thumb: 'up' });
  one.clock.time += 1_000;
  expect((await judge(one, id, { thumb: 'up' })).status).toBe(200);
  await expect(judgmentOf(id)).resolves.toMatchObject({ at: START });
  expect(one.metrics).toHaveLength(2);
  expect((await judge(one, id, { thumb: 'down' })).status).toBe(200);
  await expect(judgmentOf(id)).resolves.toMatchObject({ score: 0, at: START + 1_000 });
  expect(one.metrics).toHaveLength(4);
});

test('each user has a judgment of his own', async () => {
  const one = api.with({});
  const { id } = await one.put(ENDED);
  await judge(one, id, { score: 1, user: 'bob' });
  await judge(one, id, { score: 0, user: 'carol' });
  await expect(judgmentOf(id, 'bob')).resolves.toMatchObject({ score: 1 });
  await expect(judgmentOf(id, 'carol')).resolves.toMatchObject({ score: 0 });
  await expect(judgmentOf(id, 'alice')).resolves.toBeUndefined();
});

test('the subject of the token judges', async () => {
  const { id } = await api.put(ENDED);
  const one = api.with({ auth: 'jwt' });
  expect((await judge(one, id, { score: 1, user: 'alice' }, 'alice')).status).toBe(200);
  const { status, body } = await judge(one, id, { score: 0, user: 'bob' }, 'alice');
  expect(status).toBe(403);
  expect(errorResponseSchema.parse(body).error.code).toBe('forbidden');
  await expect(judgmentOf(id)).resolves.toMatchObject({ score: 1 });
});

test.each<[string, Partial<TaskRecord>]>([
  ['queued', { status: 'queued' }],
  ['running', { status: 'running', release: RELEASE }],
  ['cancelled and never ran', { status: 'cancelled' }],
])('refuses to judge a task that is %s', async (why, changes) => {
  const one = api.with({});
  const { id } = await one.put(changes);
  const { status, body } = await judge(one, id, { thumb: 'up' });
  expect(status).toBe(409);
  expect(errorResponseSchema.parse(body).error).toMatchObject({
    code: 'conflict',
    message: expect.stringContaining(why),
  });
  await expect(judgmentOf(id)).resolves.toBeUndefined();
  expect(one.metrics).toEqual([]);
});

test.each<[string, unknown, string]>([
  ['nothing', undefined, '$'],
  ['no JSON', '{', '$'],
  ['a list', [], '$'],
  ['neither thumb nor score', { comment: 'well' }, '$'],
  ['an unknown thumb', { thumb: 'sideways' }, '$.thumb'],
  ['a score above 1', { score: 5 }, '$.score'],
  ['a score below 0', { score: -0.1 }, '$.score'],
  ['a score that cannot be kept', '{"score":1e-200}', '$.score'],
  ['a comment too long', { score: 1, comment: 'x'.repeat(4_001) }, '$.comment'],
  ['an empty user', { score: 1, user: '' }, '$.user'],
  ['an unknown field', { score: 1, stars: 5 }, '$.stars'],
])('refuses feedback with %s, naming the field', async (_, given, path) => {
  const { id } = await api.put(ENDED);
  const { status, body } = await judge(api, id, given);
  expect(status).toBe(400);
  expect(errorResponseSchema.parse(body).error).toMatchObject({ code: 'invalid_request', details: [{ path }] });
});

test('refuses more bytes than a judgment takes', async () => {
  const { id } = await api.put(ENDED);
  const { status, body } = await judge(api, id, { score: 1, comment: 'x'.repeat(70_000) });
  expect(status).toBe(413);
  expect(errorResponseSchema.parse(body).error.message).toContain('shorten the comment');
});

test.each(OUTAGES)('refuses as unavailable when the store has %s, and counts nothing', async (_, outage) => {
  const one = api.with({ feedback: { get: async () => undefined, put: () => Promise.reject(outage) } });
  const { id } = await one.put(ENDED);
  expect((await judge(one, id, { score: 1 })).response).toMatchObject({
    statusCode: 503,
    headers: { 'retry-after': '5' },
  });
  expect(one.metrics).toEqual([]);
});

test('of the same judgment sent many times at once, one counts', async () => {
  const one = api.with({});
  const { id } = await one.put(ENDED);
  const answers = await Promise.all(Array.from({ length: 6 }, () => judge(one, id, { score: 0.5 })));
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 6 }, () => 200));
  expect(one.metrics).toHaveLength(2);
});

test('of judgments that differ, sent at once by one user, one stays', async () => {
  const one = api.with({});
  const { id } = await one.put(ENDED);
  const scores = [0, 0.25, 0.5, 0.75, 1];
  const answers = await Promise.all(
    scores.map((score) => {
      one.clock.time += 1;
      return judge(one, id, { score });
    }),
  );
  expect(answers.every(({ status }) => status === 200 || status === 503)).toBe(true);
  expect(scores).toContain((await judgmentOf(id))?.score);
});

test('a write whose answer was lost is a judgment all the same', async () => {
  const real = api.props.feedback;
  const lossy: Feedback = {
    get: (id, user) => real.get(id, user),
    put: async (...write) => {
      await real.put(...write);
      return await real.put(...write);
    },
  };
  const { id } = await api.put(ENDED);
  expect((await judge(api.with({ feedback: lossy }), id, { score: 0.5 })).status).toBe(200);
  await expect(judgmentOf(id)).resolves.toMatchObject({ score: 0.5 });
});
