import { PutCommand } from '@aws-sdk/lib-dynamodb';
import fc from 'fast-check';
import {
  Env,
  FINAL_STATUSES,
  MAX_INLINE_BYTES,
  MAX_REQUEST_BYTES,
  submitResponseSchema,
  TASK_STATUSES,
  TaskKey,
  type TaskRecord,
} from '../../lib/contract';
import {
  bundledHandler,
  crowded,
  LocalCloud,
  METRIC_DATA,
  messageSent,
  QUEUE_SIZES,
} from '../lambda/shared/support/local-cloud';
import { type Answer, DOCUMENT, fieldsIn, undocumented, validatorAt } from './support/document';
import { fitting, spoilt } from './support/from-schema';

/**
 * Requests made from the document, sent to the functions that serve the API: whatever they answer must be in the document,
 * what fits it is accepted, and what does not is refused by field.
 */

const output = jest.spyOn(process.stdout, 'write').mockImplementation(() => true);
const SUBMIT = '/tasks';
const TASK = '/tasks/{id}';
const FEEDBACK = '/tasks/{id}/feedback';
const submitSchema = DOCUMENT.components.schemas.SubmitRequest;
const feedbackSchema = DOCUMENT.components.schemas.FeedbackRequest;
const [idempotencyKey] = DOCUMENT.paths[SUBMIT].post.parameters;

let cloud: LocalCloud;
const healthy: LocalCloud['answers'] = {
  'AmazonSQS.SendMessage': messageSent,
  '/payloads/': () => ({ body: '' }),
  ...crowded(0, 0),
};

beforeAll(async () => {
  cloud = await LocalCloud.start();
  process.env[Env.WEBHOOK_QUEUE] = `${cloud.services.endpoint}/webhooks`;
});
beforeEach(() => {
  cloud.answers = healthy;
});
afterAll(async () => {
  output.mockRestore();
  await cloud.close();
});

async function submit(body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  return (await bundledHandler('router')({
    rawPath: SUBMIT,
    headers,
    body: typeof body === 'string' ? body : JSON.stringify(body),
    requestContext: { http: { method: 'POST', path: SUBMIT } },
  })) as Answer;
}

async function ask(method: 'get' | 'delete' | 'post', path: string, id: string, body?: unknown): Promise<Answer> {
  const rawPath = path.replace('{id}', id);
  return (await bundledHandler('api')({
    rawPath,
    pathParameters: { id },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    requestContext: { http: { method: method.toUpperCase(), path: rawPath } },
  })) as Answer;
}

let count = 0;
async function put(changes: Partial<TaskRecord> = {}): Promise<string> {
  count += 1;
  const id = `t-${count.toString(16).padStart(32, '0')}`;
  const task = {
    id,
    agent: 'support',
    status: 'queued',
    mode: 'live',
    lane: 'stable',
    priority: 'normal',
    user: 'u',
    requestDigest: 'd',
    createdAt: Date.now(),
    attempts: 0,
    expiresAt: 10_000_000_000,
    ...changes,
  };
  await cloud.tables.send(new PutCommand({ TableName: 'tasks', Item: { ...TaskKey.task(id), ...task } }));
  return id;
}

/** The answer is a refusal that names each of the fields that the document's schema finds wrong. */
function expectRefusalByField(answer: Answer, place: readonly string[], body: unknown): void {
  const isValid = validatorAt(...place);
  isValid(body);
  expect(answer.statusCode).toBe(400);
  const { details } = JSON.parse(answer.body).error as { details: { path: string }[] };
  for (const field of fieldsIn(isValid.errors)) {
    expect(details.map(({ path }) => path).filter((path) => path.startsWith(field))).not.toEqual([]);
  }
}

const REQUEST = ['components', 'schemas', 'SubmitRequest'];
const FEEDBACK_SCHEMA = ['components', 'schemas', 'FeedbackRequest'];

test('a request that fits is accepted, and its task can be asked for', async () => {
  await fc.assert(
    fc.asyncProperty(
      fitting(submitSchema),
      fc.option(fitting(idempotencyKey.schema), { nil: undefined }),
      async ({ idempotencyKey: field, ...request }, key) => {
        const body = {
          ...request,
          user: request.user ?? 'u',
          ...(key === undefined && field ? { idempotencyKey: field } : {}),
        };
        const answer = await submit(body, key === undefined ? {} : { 'idempotency-key': key });
        expect(undocumented(SUBMIT, 'post', answer)).toEqual([]);
        // The same key may have been made twice.
        if (answer.statusCode !== 409) {
          expect([answer.statusCode, answer.body]).toEqual([202, answer.body]);
          const { id } = submitResponseSchema.parse(JSON.parse(answer.body));
          const task = await ask('get', TASK, id);
          expect([task.statusCode, ...undocumented(TASK, 'get', task)]).toEqual([200]);
        }
      },
    ),
    { numRuns: 100 },
  );
});

test('refuses a request that does not fit, and names the fields', async () => {
  const isValid = validatorAt(...REQUEST);
  await fc.assert(
    fc.asyncProperty(spoilt(submitSchema), async (body) => {
      const answer = await submit(body);
      expect(undocumented(SUBMIT, 'post', answer)).toEqual([]);
      if (isValid(body)) {
        expect(answer.statusCode).toBeLessThan(500);
      } else {
        expectRefusalByField(answer, REQUEST, body);
      }
    }),
    { numRuns: 200 },
  );
});

test('refuses whatever else comes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string(), fc.json(), fc.constantFrom('', '{', '[]', 'null', '"x"')), async (body) => {
      for (const [path, answer] of [
        [SUBMIT, await submit(body)],
        [FEEDBACK, await ask('post', FEEDBACK, await put({ status: 'failed', release: 'r-0123456789ab' }), body)],
      ] as const) {
        expect([answer.statusCode, ...undocumented(path, 'post', answer)]).toEqual([400]);
      }
    }),
    { numRuns: 60 },
  );
});

test('a task of any status, and none, is read, judged and cancelled as the document says', async () => {
  const task = fc.record({
    status: fc.constantFrom(...TASK_STATUSES),
    release: fc.option(fc.constant('r-0123456789ab'), { nil: undefined }),
    webhook: fc.option(fc.constant({ url: 'https://example.com/' }), { nil: undefined }),
    result: fc.option(fc.constantFrom(null, 1, { answer: 42 }), { nil: undefined }),
  });
  await fc.assert(
    fc.asyncProperty(task, fitting(feedbackSchema), async ({ status, release, webhook, result }, feedback) => {
      const id = await put({
        status,
        release,
        webhook,
        result,
      });
      const read = await ask('get', TASK, id);
      expect([read.statusCode, ...undocumented(TASK, 'get', read)]).toEqual([200]);
      const judged = await ask('post', FEEDBACK, id, feedback);
      const canBeJudged = FINAL_STATUSES.includes(status) && release !== undefined;
      expect([judged.statusCode, ...undocumented(FEEDBACK, 'post', judged)]).toEqual([canBeJudged ? 200 : 409]);
      const cancelled = await ask('delete', TASK, id);
      const expected = { queued: 200, cancelled: 200, running: 202, succeeded: 409, failed: 409, timed_out: 409 };
      expect([cancelled.statusCode, ...undocumented(TASK, 'delete', cancelled)]).toEqual([expected[status]]);
    }),
    { numRuns: 50 },
  );
});

test('refuses feedback that does not fit the schema, and names the fields', async () => {
  const id = await put({ status: 'succeeded', release: 'r-0123456789ab' });
  const isValid = validatorAt(...FEEDBACK_SCHEMA);
  await fc.assert(
    fc.asyncProperty(spoilt(feedbackSchema), async (body) => {
      const answer = await ask('post', FEEDBACK, id, body);
      expect(undocumented(FEEDBACK, 'post', answer)).toEqual([]);
      if (isValid(body)) {
        expect(answer.statusCode).toBe(200);
      } else {
        expectRefusalByField(answer, FEEDBACK_SCHEMA, body);
      }
    }),
    { numRuns: 100 },
  );
});

test.each(['get', 'delete'] as const)('refuses to %s what is no task', async (method) => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string(), fc.stringMatching(/^t-[0-9a-f]{32}$/)), async (id) => {
      const answer = await ask(method, TASK, id);
      expect([answer.statusCode, ...undocumented(TASK, method, answer)]).toEqual([404]);
    }),
    { numRuns: 30 },
  );
});

test('refuses the same key for another request', async () => {
  await submit({ input: 1, user: 'u', idempotencyKey: 'twice' });
  const answer = await submit({ input: 2, user: 'u', idempotencyKey: 'twice' });
  expect([answer.statusCode, ...undocumented(SUBMIT, 'post', answer)]).toEqual([409]);
});

test('a request of the largest size is accepted, and its input is in the bucket', async () => {
  const start = '{"user":"u","input":"';
  const before = cloud.requestsOf('').length;
  const answer = await submit(`${start}${'x'.repeat(MAX_REQUEST_BYTES - start.length - 2)}"}`);
  expect([answer.statusCode, ...undocumented(SUBMIT, 'post', answer)]).toEqual([202]);
  const stored = cloud.services.requests.slice(before).filter(({ path }) => path.startsWith('/payloads/tasks/t-'));
  expect(String(stored.at(-1)?.body)).toHaveLength(MAX_REQUEST_BYTES - start.length - 2);
});

test('refuses a larger one', async () => {
  const answer = await submit(`{"user":"u","input":"${'x'.repeat(MAX_REQUEST_BYTES)}"}`);
  expect([answer.statusCode, ...undocumented(SUBMIT, 'post', answer)]).toEqual([413]);
});

describe('while something is away', () => {
  const large = { input: 'x'.repeat(MAX_INLINE_BYTES), user: 'u' };

  test.each([
    ['the queues', 'AmazonSQS.SendMessage', { input: 1, user: 'u' }],
    ['the bucket', '/payloads/', large],
  ])('refuses what needs %s, with a time to try again', async (_, operation, body) => {
    cloud.answers = { ...healthy, [operation]: () => ({ status: 503, body: '' }) };
    const answer = await submit(body);
    expect([answer.statusCode, ...undocumented(SUBMIT, 'post', answer)]).toEqual([503]);
  });

  test('tasks are accepted while the queues cannot be counted', async () => {
    cloud.answers = {
      ...healthy,
      [QUEUE_SIZES]: () => ({ status: 503, body: '' }),
      [METRIC_DATA]: () => ({ status: 503, body: '' }),
    };
    const answer = await submit({ input: 1, user: 'u' });
    expect([answer.statusCode, ...undocumented(SUBMIT, 'post', answer)]).toEqual([202]);
  });
});

test('refuses for now what has to wait too long, and nothing more urgent', async () => {
  cloud.answers = { ...healthy, ...crowded(5, 1_000) };
  const until = async (statusCode: number) => {
    for (let tries = 0; tries < 200; tries += 1) {
      const answer = await submit({ input: 1, user: 'u' });
      expect(undocumented(SUBMIT, 'post', answer)).toEqual([]);
      if (answer.statusCode === statusCode) {
        return answer;
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error(`never answered ${statusCode}`);
  };
  const refused = await until(429);
  expect(refused.headers['retry-after']).toBe('100');
  expect((await submit({ input: 1, user: 'u', priority: 'high' })).statusCode).toBe(202);
  cloud.answers = healthy;
  await until(202);
});
