import { handleHttpRequest } from '../../../../lambda/functions/router/http-handler';
import type { Accepted } from '../../../../lambda/functions/router/task-intake';
import { type ErrorCode, type HttpEvent, Refusal } from '../../../../lambda/shared/http/http';
import { MetricEmitter } from '../../../../lambda/shared/telemetry/emf';
import { errorResponseSchema, submitResponseSchema } from '../../../../lib/contract';
import { CapturedLog, FakeClock } from '../../shared/support/fakes';

const ID = `t-${'0'.repeat(32)}`;

async function answer(submit: () => Promise<Accepted>, { method = 'POST', body = '{"input":1,"user":"u"}' } = {}) {
  const event: HttpEvent = { rawPath: '/tasks', body, requestContext: { http: { method, path: '/tasks' } } };
  const logger = new CapturedLog();
  const metricLines: string[] = [];
  const metrics = new MetricEmitter({
    dimensions: { Agent: 'support' },
    clock: new FakeClock(),
    sink: (line) => metricLines.push(line),
  });
  const props = { intake: { submit }, logger, metrics, auth: 'iam', webhooks: undefined } as const;
  const response = await handleHttpRequest(event, props, undefined);
  return { response, body: JSON.parse(response.body), logger, metricLines };
}

test('an accepted task is answered with its id and where to look', async () => {
  const { response, body, metricLines } = await answer(async () => ({ id: ID, status: 'queued' }));
  expect(response).toMatchObject({
    statusCode: 202,
    headers: { 'content-type': 'application/json', location: `/tasks/${ID}` },
  });
  expect(submitResponseSchema.parse(body)).toEqual({ id: ID, status: 'queued', links: { self: `/tasks/${ID}` } });
  expect(metricLines).toEqual([]);
});

test.each<[ErrorCode, number]>([
  ['invalid_request', 400],
  ['forbidden', 403],
  ['not_found', 404],
  ['idempotency_conflict', 409],
  ['too_large', 413],
  ['internal', 500],
  ['unavailable', 503],
])('refuses %s with status %d', async (code, status) => {
  const details = [{ path: '$.user', message: 'wrong' }];
  const { response, body, metricLines } = await answer(() => Promise.reject(new Refusal(code, 'why', details)));
  expect(response.statusCode).toBe(status);
  expect(errorResponseSchema.parse(body)).toEqual({ error: { code, message: 'why', details } });
  expect(response.headers['retry-after']).toBe(status === 503 ? '5' : undefined);
  expect(metricLines.map((line) => JSON.parse(line))).toMatchObject([{ Agent: 'support', TasksRefused: 1 }]);
});

test('refuses what has to wait with the time after which to try again', async () => {
  const refusal = new Refusal('overloaded', 'too much waits', undefined, { retryAfterSeconds: 90 });
  const { response, body } = await answer(() => Promise.reject(refusal));
  expect(response).toMatchObject({ statusCode: 429, headers: { 'retry-after': '90' } });
  expect(errorResponseSchema.parse(body)).toEqual({ error: { code: 'overloaded', message: 'too much waits' } });
});

test('refuses without telling the caller what broke inside; the log has it', async () => {
  const { response, logger } = await answer(() => Promise.reject(new TypeError('secret detail')));
  expect(response.statusCode).toBe(500);
  expect(response.body).not.toContain('secret detail');
  expect(logger.find('request refused')).toMatchObject({
    level: 'error',
    fields: { error: { message: 'secret detail' } },
  });
});

test.each(['GET', 'DELETE'])('refuses %s', async (method) => {
  const { response } = await answer(() => Promise.reject(new Error('not to be reached')), { method });
  expect(response.statusCode).toBe(404);
});
