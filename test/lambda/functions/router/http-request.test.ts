import { type Auth, parseHttpRequest } from '../../../../lambda/functions/router/http-request';
import type { WebhookPolicy } from '../../../../lambda/functions/router/webhook-url';
import type { HttpEvent, Refusal } from '../../../../lambda/shared/http/http';
import { MAX_REQUEST_BYTES } from '../../../../lib/contract';

const TRACE = 'Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1';

interface Given {
  readonly body?: unknown;
  readonly text?: string;
  readonly headers?: Record<string, string>;
  readonly subject?: unknown;
  readonly base64?: boolean;
}

function event({ body, text = JSON.stringify(body), headers = {}, subject, base64 = false }: Given): HttpEvent {
  return {
    rawPath: '/tasks',
    headers,
    body: base64 ? Buffer.from(text).toString('base64') : text,
    isBase64Encoded: base64,
    requestContext: {
      http: { method: 'POST', path: '/tasks' },
      ...(subject === undefined ? {} : { authorizer: { jwt: { claims: { sub: subject } } } }),
    },
  };
}

const WEBHOOKS: WebhookPolicy = { privateHosts: ['hooks.corp'] };

const parse = (given: Given, auth: Auth = 'iam', trace?: string, webhooks: WebhookPolicy | undefined = WEBHOOKS) =>
  parseHttpRequest(event(given), { auth, webhooks }, trace);

function refusalOf(given: Given, auth?: Auth, webhooks?: WebhookPolicy | 'none'): Refusal {
  try {
    if (webhooks === 'none') {
      parseHttpRequest(event(given), { auth: 'iam', webhooks: undefined }, undefined);
    }
    parse(given, auth);
  } catch (error) {
    return error as Refusal;
  }
  throw new Error('the request was accepted');
}

test('a request with the least there must be', () => {
  expect(parse({ body: { input: null, user: 'u' } })).toEqual({ input: null, user: 'u', priority: 'normal' });
});

test('a request with everything', () => {
  const body = {
    input: { q: 'ü' },
    user: 'u',
    session: 's',
    priority: 'high',
    timeoutSeconds: 60,
    webhook: { url: 'https://example.com/hook?a=b' },
    idempotencyKey: 'k',
  };
  expect(parse({ body, headers: { 'idempotency-key': 'k' }, base64: true })).toEqual(body);
});

test.each([
  ['by header', { input: 1, user: 'u' }, { 'idempotency-key': 'k-1' }],
  ['by field', { input: 1, user: 'u', idempotencyKey: 'k-1' }, {}],
])('an idempotency key %s', (_, body, headers) => {
  expect(parse({ body, headers })).toMatchObject({ idempotencyKey: 'k-1' });
});

test('the subject of the token is the user, whether the body says so or not', () => {
  expect(parse({ body: { input: 1 }, subject: 'alice' }, 'jwt')).toMatchObject({ user: 'alice' });
  expect(parse({ body: { input: 1, user: 'alice' }, subject: 'alice' }, 'jwt')).toMatchObject({ user: 'alice' });
});

test("the invocation's trace continues; else the caller's; else none", () => {
  const headers = { 'x-amzn-trace-id': 'Root=1-00000000-000000000000000000000000' };
  const body = { input: 1, user: 'u' };
  expect(parse({ body, headers }, 'iam', TRACE).traceHeader).toBe(TRACE);
  expect(parse({ body, headers }).traceHeader).toBe(headers['x-amzn-trace-id']);
  expect(parse({ body, headers: { 'x-amzn-trace-id': 'rubbish' } }).traceHeader).toBeUndefined();
});

test.each<[string, Given, string]>([
  ['no body', { text: '' }, '$'],
  ['no JSON', { text: '{"input":' }, '$'],
  ['no object', { body: [1] }, '$'],
  ['no input', { body: { user: 'u' } }, '$.input'],
  ['no user', { body: { input: 1 } }, '$.user'],
  ['an empty user', { body: { input: 1, user: '' } }, '$.user'],
  ['a user too long', { body: { input: 1, user: 'x'.repeat(257) } }, '$.user'],
  ['an unknown priority', { body: { input: 1, user: 'u', priority: 'urgent' } }, '$.priority'],
  ['an unknown field', { body: { input: 1, user: 'u', prio: 'high' } }, '$.prio'],
  ['an empty session', { body: { input: 1, user: 'u', session: '' } }, '$.session'],
  ['a key with spaces', { body: { input: 1, user: 'u', idempotencyKey: 'a b' } }, '$.idempotencyKey'],
  [
    'a header key with spaces',
    { body: { input: 1, user: 'u' }, headers: { 'idempotency-key': 'a b' } },
    'header Idempotency-Key',
  ],
  [
    'two keys that differ',
    { body: { input: 1, user: 'u', idempotencyKey: 'a' }, headers: { 'idempotency-key': 'b' } },
    '$.idempotencyKey',
  ],
  ['no time at all', { body: { input: 1, user: 'u', timeoutSeconds: 0 } }, '$.timeoutSeconds'],
  ['more than a week', { body: { input: 1, user: 'u', timeoutSeconds: 604_801 } }, '$.timeoutSeconds'],
  ['half a second', { body: { input: 1, user: 'u', timeoutSeconds: 1.5 } }, '$.timeoutSeconds'],
  ['a webhook that is no URL', { body: { input: 1, user: 'u', webhook: { url: 'here' } } }, '$.webhook.url'],
  ['a webhook over ftp', { body: { input: 1, user: 'u', webhook: { url: 'ftp://x.org/' } } }, '$.webhook.url'],
  ['a webhook over http', { body: { input: 1, user: 'u', webhook: { url: 'http://x.org/' } } }, '$.webhook.url'],
  ['a webhook within', { body: { input: 1, user: 'u', webhook: { url: 'https://10.0.0.1/' } } }, '$.webhook.url'],
  ['a number that cannot be kept', { text: '{"input":{"n":[12345678901234567890]},"user":"u"}' }, '$.input.n[0]'],
  ['nesting that cannot be kept', { text: `{"user":"u","input":${'['.repeat(60)}${']'.repeat(60)}}` }, '$.input[0]'],
])('refuses a request with %s, naming the field', (_, given, path) => {
  const refusal = refusalOf(given);
  expect(refusal).toMatchObject({ code: 'invalid_request', status: 400 });
  expect(refusal.details?.[0]?.path).toContain(path);
  expect(refusal.message).toContain(path);
});

test('refuses a webhook where the agent has none, saying what to do', () => {
  const given = { body: { input: 1, user: 'u', webhook: { url: 'https://example.com/' } } };
  const refusal = refusalOf(given, 'iam', 'none');
  expect(refusal.details).toMatchObject([{ path: '$.webhook' }]);
  expect(refusal.message).toContain('deployed without webhooks');
});

test('refuses naming every wrong field', () => {
  const { details, message } = refusalOf({ body: { input: 1, user: '', priority: 'x' } });
  expect(details?.map(({ path }) => path)).toEqual(['$.user', '$.priority']);
  expect(message).toContain('(and 1 more)');
});

test.each<[string, Given]>([
  ['no subject', { body: { input: 1, user: 'u' } }],
  ['an empty subject', { body: { input: 1, user: 'u' }, subject: '' }],
  ['a subject that is no text', { body: { input: 1, user: 'u' }, subject: 7 }],
  ['a subject too long', { body: { input: 1 }, subject: 'x'.repeat(257) }],
  ["another user's task", { body: { input: 1, user: 'bob' }, subject: 'alice' }],
])('refuses a token with %s', (_, given) => {
  expect(refusalOf(given, 'jwt')).toMatchObject({ code: 'forbidden', status: 403 });
});

test.each([false, true])('refuses more bytes than are accepted, stating both (base64: %p)', (base64) => {
  const start = '{"user":"u","input":"';
  const fill = (bytes: number) => `${start}${'ä'.repeat((bytes - start.length - 2) / 2)}"}`;
  // Characters of two bytes: what counts is bytes, not characters.
  const fits = fill(MAX_REQUEST_BYTES - 1);
  expect(Buffer.byteLength(fits)).toBe(MAX_REQUEST_BYTES - 1);
  expect(parse({ text: fits, base64 })).toMatchObject({ user: 'u' });
  const refusal = refusalOf({ text: fill(MAX_REQUEST_BYTES + 1), base64 });
  expect(refusal).toMatchObject({ code: 'too_large', status: 413 });
  expect(refusal.message).toContain(String(MAX_REQUEST_BYTES + 1));
  expect(refusal.message).toContain(String(MAX_REQUEST_BYTES));
});
