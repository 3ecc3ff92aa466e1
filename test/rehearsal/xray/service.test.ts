import { ApiServer } from '../../../rehearsal/api-server';
import { OPERATOR_CREDENTIALS } from '../../../rehearsal/core/principal';
import { createIam } from '../../../rehearsal/services/iam';
import { Traces } from '../../../rehearsal/services/xray/model';
import { xrayOperations } from '../../../rehearsal/services/xray/operations';

const ROLE = 'arn:aws:iam::123456789012:role/worker';
const DOCUMENT = {
  trace_id: '1-5e3d83c1-e6a0db584850d61342823d4c',
  id: 'aaaaaaaaaaaaaaaa',
  name: 'model',
  start_time: 1.5,
  end_time: 2.5,
};

const { iam } = createIam();
const traces = new Traces();
let apiServer: ApiServer;
beforeAll(async () => {
  apiServer = await ApiServer.start({ iam });
  apiServer.add(xrayOperations(traces));
});
afterAll(() => apiServer.stop());

async function put(accessKeyId: string, body: unknown): Promise<{ readonly status: number; readonly body: unknown }> {
  const credential = `Credential=${accessKeyId}/20300101/us-east-1/xray/aws4_request`;
  const response = await fetch(`${apiServer.url}/TraceSegments`, {
    method: 'POST',
    headers: { authorization: `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=host, Signature=0` },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

test('keeps documents, and gives back those that are none', async () => {
  const answer = await put(OPERATOR_CREDENTIALS.accessKeyId, {
    TraceSegmentDocuments: [JSON.stringify(DOCUMENT), '{"id":"bbbbbbbbbbbbbbbb"}', 'no JSON'],
  });
  expect(answer).toEqual({
    status: 200,
    body: {
      UnprocessedTraceSegments: [
        { Id: 'bbbbbbbbbbbbbbbb', ErrorCode: 'InvalidSegment', Message: expect.stringContaining('trace_id') },
        { ErrorCode: 'InvalidSegment', Message: expect.any(String) },
      ],
    },
  });
  expect(traces.views()).toEqual([{ id: DOCUMENT.trace_id, documents: [DOCUMENT] }]);
});

test('is judged by the role of the caller', async () => {
  iam.putRole({ arn: ROLE, name: 'worker', trust: { Statement: [] }, inline: {}, managedArns: [] });
  const { accessKeyId } = iam.sessionFor(ROLE, 'worker');
  const body = { TraceSegmentDocuments: [] };
  expect((await put(accessKeyId, body)).status).toBe(403);
  const statement = { Effect: 'Allow', Action: 'xray:PutTraceSegments', Resource: '*' };
  iam.attach('traces', { Statement: [statement] }, ['worker']);
  expect(await put(accessKeyId, body)).toEqual({ status: 200, body: { UnprocessedTraceSegments: [] } });
});

test('refuses what is no request', async () => {
  expect(await put(OPERATOR_CREDENTIALS.accessKeyId, { Documents: [] })).toMatchObject({
    status: 400,
    body: { message: expect.stringContaining('TraceSegmentDocuments') },
  });
});
