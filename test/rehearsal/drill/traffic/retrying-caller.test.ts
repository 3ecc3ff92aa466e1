import type { ApiAnswer, ApiClient } from '../../../../rehearsal/drill/traffic/api-client';
import {
  RETRY_UNTIL_ANSWERED,
  RETRY_WHEN_THROTTLED,
  sendWithRetries,
} from '../../../../rehearsal/drill/traffic/retrying-caller';

const QUICK = { tries: 4, first: 1, longest: 2 };
const PATIENCE = { ...RETRY_UNTIL_ANSWERED, ...QUICK };

function answering(...statuses: readonly number[]): { client: ApiClient; sent: unknown[][] } {
  const left = [...statuses];
  const sent: unknown[][] = [];
  const send = async (...request: unknown[]): Promise<ApiAnswer> => {
    sent.push(request);
    return { status: left.shift() ?? 202, body: {}, text: '' };
  };
  return { client: { send } as unknown as ApiClient, sent };
}

test.each([[[0, 500, 202]], [[429, 503, 202]]])('repeats the same request after %j', async (statuses) => {
  const { client, sent } = answering(...statuses);
  const answer = await sendWithRetries(client, PATIENCE, 'POST', '/tasks', { input: 1 }, { 'idempotency-key': 'k' });
  expect(answer).toMatchObject({ status: 202, tries: 3 });
  expect(sent).toEqual(Array.from({ length: 3 }, () => ['POST', '/tasks', { input: 1 }, { 'idempotency-key': 'k' }]));
});

test('takes what is final at once, and gives up in the end', async () => {
  expect(await sendWithRetries(answering(409).client, PATIENCE, 'DELETE', '/tasks/1')).toMatchObject({
    status: 409,
    tries: 1,
  });
  expect(await sendWithRetries(answering(500, 500, 500, 500).client, PATIENCE, 'GET', '/')).toMatchObject({
    status: 500,
    tries: 4,
  });
});

test('whoever is told that a budget of the day is used up does not come again', async () => {
  const body = { error: { code: 'budget_exceeded', message: "the agent's budget is used up" } };
  for (const scaledTimeout of [RETRY_WHEN_THROTTLED, RETRY_UNTIL_ANSWERED]) {
    const sent: unknown[] = [];
    const send = async (...request: unknown[]): Promise<ApiAnswer> => {
      sent.push(request);
      return { status: 429, body, text: '' };
    };
    const client = { send } as unknown as ApiClient;
    expect(await sendWithRetries(client, { ...scaledTimeout, ...QUICK }, 'POST', '/tasks')).toMatchObject({ tries: 1 });
  }
});

test('a polite caller comes again only when told to', async () => {
  const polite = { ...RETRY_WHEN_THROTTLED, ...QUICK };
  expect(await sendWithRetries(answering(429, 429).client, polite, 'GET', '/')).toMatchObject({
    status: 202,
    tries: 3,
  });
  expect(await sendWithRetries(answering(500).client, polite, 'GET', '/')).toMatchObject({ status: 500, tries: 1 });
});
