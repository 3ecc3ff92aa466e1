import { credentialScope } from '../../../../rehearsal/api-server/credential-scope';
import {
  type ApiClient,
  type ApiResponse,
  RETRY_UNTIL_ANSWERED,
  RETRY_WHEN_THROTTLED,
  sendWithRetries,
  signRequest,
} from '../../../../rehearsal/drill/traffic/api-client';

const FAST = { maxAttempts: 4, initialDelayMs: 1, maxDelayMs: 2 };
const UNTIL_ANSWERED = { ...RETRY_UNTIL_ANSWERED, ...FAST };

function clientWith(...statuses: readonly number[]): { client: ApiClient; sent: unknown[][] } {
  const remaining = [...statuses];
  const sent: unknown[][] = [];
  const send = async (...request: unknown[]): Promise<ApiResponse> => {
    sent.push(request);
    return { status: remaining.shift() ?? 202, body: {}, text: '' };
  };
  return { client: { send } as unknown as ApiClient, sent };
}

describe('sendWithRetries', () => {
  test.each([[[0, 500, 202]], [[429, 503, 202]]])('repeats the same request after %j', async (statuses) => {
    const { client, sent } = clientWith(...statuses);
    const request = ['POST', '/tasks', { input: 1 }, { 'idempotency-key': 'k' }] as const;
    expect(await sendWithRetries(client, UNTIL_ANSWERED, ...request)).toMatchObject({ status: 202, attempts: 3 });
    expect(sent).toEqual(Array.from({ length: 3 }, () => request));
  });

  test('accepts a final response at once, and stops after the last attempt', async () => {
    expect(await sendWithRetries(clientWith(409).client, UNTIL_ANSWERED, 'DELETE', '/tasks/1')).toMatchObject({
      status: 409,
      attempts: 1,
    });
    expect(await sendWithRetries(clientWith(500, 500, 500, 500).client, UNTIL_ANSWERED, 'GET', '/')).toMatchObject({
      status: 500,
      attempts: 4,
    });
  });

  test('does not retry a request over budget', async () => {
    const body = { error: { code: 'budget_exceeded', message: "the agent's budget is used up" } };
    const client = { send: async () => ({ status: 429, body, text: '' }) } as unknown as ApiClient;
    for (const policy of [RETRY_WHEN_THROTTLED, RETRY_UNTIL_ANSWERED]) {
      expect(await sendWithRetries(client, { ...policy, ...FAST }, 'POST', '/tasks')).toMatchObject({ attempts: 1 });
    }
  });

  test('RETRY_WHEN_THROTTLED retries 429 only', async () => {
    const policy = { ...RETRY_WHEN_THROTTLED, ...FAST };
    expect(await sendWithRetries(clientWith(429, 429).client, policy, 'GET', '/')).toMatchObject({
      status: 202,
      attempts: 3,
    });
    expect(await sendWithRetries(clientWith(500).client, policy, 'GET', '/')).toMatchObject({
      status: 500,
      attempts: 1,
    });
  });
});

describe('signRequest', () => {
  const credentials = { accessKeyId: 'ASIAEXAMPLE', secretAccessKey: 'secret', sessionToken: 'token' };
  const request = {
    method: 'POST',
    url: new URL('http://127.0.0.1:1/tasks?x=1'),
    headers: { 'Content-Type': 'x' },
    body: 'b',
  };
  const at = Date.UTC(2026, 0, 5, 12);

  test('signs the host, the time, the session token, every header and the body', async () => {
    const { authorization, ...headers } = await signRequest(request, credentials, at);
    expect(headers).toMatchObject({
      host: '127.0.0.1:1',
      'x-amz-date': '20260105T120000Z',
      'x-amz-security-token': 'token',
    });
    expect(credentialScope({ authorization })).toEqual({
      accessKeyId: 'ASIAEXAMPLE',
      region: 'us-east-1',
      signingName: 'execute-api',
    });
    expect(authorization).toMatch(
      /SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token,/,
    );
    const signatureOf = async (changes: object) =>
      (await signRequest({ ...request, ...changes }, credentials, at)).authorization;
    expect(await signatureOf({})).toBe(authorization);
    expect(await signatureOf({ body: 'c' })).not.toBe(authorization);
    expect(await signatureOf({ url: new URL('http://127.0.0.1:1/tasks?x=2') })).not.toBe(authorization);
  });
});
