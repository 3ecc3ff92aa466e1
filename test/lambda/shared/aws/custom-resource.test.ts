import * as z from 'zod';
import {
  answerCustomResource,
  type CustomResourceEvent,
  type CustomResourceOutcome,
  propertiesOf,
} from '../../../../lambda/shared/aws/custom-resource';
import { type HttpStub, startStub } from '../../worker/support/http-stub';
import { CapturedLog, FakeClock, invocation } from '../support/fakes';

let stub: HttpStub;
let statuses: number[];

beforeEach(async () => {
  statuses = [];
  stub = await startStub(() => ({ status: statuses.shift() ?? 200, body: '' }));
});
afterEach(() => stub.close());

function event(changes: Partial<CustomResourceEvent> = {}): CustomResourceEvent {
  return {
    RequestType: 'Create',
    ResponseURL: `${stub.endpoint}/response?signature=abc`,
    StackId: 'arn:aws:cloudformation:us-east-1:123456789012:stack/demo/1',
    RequestId: 'request-1',
    ResourceType: 'Custom::Thing',
    LogicalResourceId: 'Thing',
    ResourceProperties: { ServiceToken: 'arn' },
    ...changes,
  };
}

function reasonGiven(): string {
  return z.object({ Reason: z.string() }).parse(stub.requests[0]?.body).Reason;
}

async function run(
  handle: (event: CustomResourceEvent, signal: AbortSignal) => Promise<CustomResourceOutcome>,
  { given = event(), remaining = 60_000 } = {},
) {
  const clock = new FakeClock();
  const logger = new CapturedLog();
  await answerCustomResource(given, invocation(remaining), { physicalId: () => 'thing-id', handle, logger, clock });
  return { clock, logger };
}

test.each(['Create', 'Update', 'Delete'] as const)('a %s that succeeds is answered in full', async (RequestType) => {
  await run(async () => ({ physicalId: 'thing', data: { Answer: '42' } }), { given: event({ RequestType }) });
  expect(stub.requests).toHaveLength(1);
  expect(stub.requests[0]).toMatchObject({
    path: '/response?signature=abc',
    headers: { 'content-type': '' },
    body: {
      Status: 'SUCCESS',
      PhysicalResourceId: 'thing',
      StackId: event().StackId,
      RequestId: 'request-1',
      LogicalResourceId: 'Thing',
      Data: { Answer: '42' },
    },
  });
});

test.each(['Create', 'Update', 'Delete'] as const)(
  'a %s that fails is answered with the reason',
  async (RequestType) => {
    const { logger } = await run(() => Promise.reject(new Error('the\nreason')), { given: event({ RequestType }) });
    expect(stub.requests[0]?.body).toEqual({
      Status: 'FAILED',
      Reason: 'Error: the reason',
      PhysicalResourceId: 'thing-id',
      StackId: event().StackId,
      RequestId: 'request-1',
      LogicalResourceId: 'Thing',
    });
    expect(logger.find('custom resource failed').level).toBe('error');
  },
);

test.each([
  ['ASCII', 'x'.repeat(10_000)],
  ['four-byte characters', '🎈'.repeat(5_000)],
  ['characters that JSON escapes', '"\\'.repeat(5_000)],
])('a long reason in %s is cut to what CloudFormation takes', async (_, reason) => {
  await run(() => Promise.reject(new Error(reason)));
  const body = stub.requests[0]?.body as { Reason: string };
  expect(Buffer.byteLength(JSON.stringify(body))).toBeLessThan(4096);
  expect(body.Reason.length).toBeGreaterThan(200);
  expect(body.Reason.endsWith('…')).toBe(true);
  expect(body.Reason).not.toContain('\uFFFD');
});

test('fails the resource when its data are too large for a response', async () => {
  await run(async () => ({ physicalId: 'thing', data: { Big: 'x'.repeat(5_000) } }));
  expect(stub.requests[0]?.body).toMatchObject({ Status: 'FAILED', PhysicalResourceId: 'thing' });
  expect(reasonGiven()).toContain('CloudFormation accepts 4096');
});

test('fails the resource before Lambda ends the function', async () => {
  let aborted: AbortSignal | undefined;
  await run(
    (_, signal) => {
      aborted = signal;
      return new Promise(() => {});
    },
    { remaining: 20_030 },
  );
  expect(stub.requests[0]?.body).toMatchObject({ Status: 'FAILED' });
  expect(reasonGiven()).toContain("shortly before the function's timeout");
  expect(aborted?.aborted).toBe(true);
});

test('a reply that is not taken is sent again', async () => {
  statuses = [503, 500];
  const { clock } = await run(async () => ({ physicalId: 'thing' }));
  expect(stub.requests).toHaveLength(3);
  expect(clock.slept).toEqual([500, 1_000]);
});

test('fails loudly when the reply is never taken', async () => {
  statuses = [403, 403, 403, 403];
  await expect(run(async () => ({ physicalId: 'thing' }))).rejects.toThrow('answered with status 403');
  expect(stub.requests).toHaveLength(4);
});

test("fails for an event that is none of CloudFormation's", async () => {
  const given = { ...event(), RequestType: 'Replace' } as unknown as CustomResourceEvent;
  await expect(run(async () => ({ physicalId: 'thing' }), { given })).rejects.toThrow('RequestType');
});

test('refuses properties by name', () => {
  const schema = z.object({ Release: z.string(), Wait: z.string().regex(/^\d+$/, 'must be digits') });
  const given = event({ ResourceProperties: { Wait: 'x' } });
  expect(() => propertiesOf(given, schema)).toThrow(
    /^properties of Thing are not valid: Release: .*; Wait: must be digits$/,
  );
});
