import { SQSClient } from '@aws-sdk/client-sqs';
import { z } from 'zod';
import { TraceSegmentSender } from '../../../../lambda/functions/container/trace-segment-sender';
import { captureSegment, captureSubsegment, Tracer } from '../../../../lambda/shared/telemetry/tracing';
import { ManualClock } from '../../../support/manual-clock';
import { type HttpStub, type StubAnswer, startStub } from '../../worker/support/http-stub';
import { until } from './support/container-process';

const ROOT = '1-5759e988-bd862e3fe1be46a994272793';
const HEADER = `Root=${ROOT};Parent=53995c3f42cd8ad8;Sampled=1`;

let xray: HttpStub;
let answer: StubAnswer;
let lines: string[];
const client = new SQSClient({
  region: 'eu-central-1',
  credentials: { accessKeyId: 'AKIATEST', secretAccessKey: 's' },
});

beforeAll(async () => {
  xray = await startStub(() => answer);
});
afterAll(() => xray.close());
beforeEach(() => {
  answer = { body: { UnprocessedTraceSegments: [] } };
  xray.requests.length = 0;
  lines = [];
});

const log = (line: string) => void lines.push(line);
const segments = () =>
  new TraceSegmentSender({
    client,
    logger: { info: log, warn: log, error: log },
    environment: { AWS_ENDPOINT_URL_XRAY: xray.endpoint },
  });

const bodySchema = z.object({ TraceSegmentDocuments: z.array(z.string()) });

const documentsOf = (index = 0) =>
  bodySchema.parse(xray.requests[index]?.body).TraceSegmentDocuments.map((text) => JSON.parse(text));

test('go to X-Ray, several in one call that is signed for it', async () => {
  const sender = segments();
  const trace = new Tracer(new ManualClock(), {}, sender.send).contextOf(HEADER);
  await captureSegment(trace, 'support', (inner) => captureSubsegment(inner, 'search', async () => 1));
  await until(() => xray.requests.length > 0, 'the call');
  expect(xray.requests).toHaveLength(1);
  expect(xray.requests[0]).toMatchObject({ method: 'POST', path: '/TraceSegments' });
  expect(xray.requests[0]?.headers.authorization).toMatch(
    /^AWS4-HMAC-SHA256 Credential=AKIATEST\/\d{8}\/eu-central-1\/xray\/aws4_request, /,
  );
  const [inner, outer] = documentsOf();
  expect(outer).toMatchObject({ trace_id: ROOT, parent_id: '53995c3f42cd8ad8', name: 'support' });
  expect(inner).toMatchObject({ trace_id: ROOT, parent_id: outer.id, name: 'search', type: 'subsegment' });
});

test('that are sent at the end leave nothing behind', async () => {
  const sender = segments();
  const trace = new Tracer(new ManualClock(), {}, sender.send).contextOf(HEADER);
  for (let call = 0; call < 60; call += 1) {
    await captureSegment(trace, `call ${call}`, async () => call);
  }
  await sender.flush();
  expect(xray.requests.flatMap((_, index) => documentsOf(index))).toHaveLength(60);
  expect(Math.max(...xray.requests.map((_, index) => documentsOf(index).length))).toBeLessThanOrEqual(25);
});

test.each<[string, StubAnswer]>([
  ['refuses them', { status: 403, body: { message: 'no' } }],
  ['is away', { status: 500, body: {} }],
])('are lost when X-Ray %s: told once, and no caller waits', async (_, refusal) => {
  answer = refusal;
  const sender = segments();
  const trace = new Tracer(new ManualClock(), {}, sender.send).contextOf(HEADER);
  for (let times = 0; times < 3; times += 1) {
    expect(await captureSegment(trace, 'support', async () => 'done')).toBe('done');
    await sender.flush();
  }
  expect(lines).toEqual(['trace segments could not be sent and were dropped']);
});
