import { captureSegment, captureSubsegment, Tracer } from '../../../../lambda/shared/telemetry/tracing';
import { FakeClock, START } from '../support/fakes';
import { XRayDaemon } from '../support/xray-daemon';

const ROOT = '1-5759e988-bd862e3fe1be46a994272793';
const HEADER = `Root=${ROOT};Parent=53995c3f42cd8ad8;Sampled=1`;

let daemon: XRayDaemon;

beforeEach(async () => {
  daemon = await XRayDaemon.start();
});

afterEach(() => daemon.close());

const tracer = (clock = new FakeClock(), address = daemon.address) =>
  new Tracer(clock, { AWS_XRAY_DAEMON_ADDRESS: address });

const pause = () => new Promise((resolve) => setTimeout(resolve, 50));

test('work within work is a segment with its parts, in the trace that the message came with', async () => {
  const clock = new FakeClock();
  const trace = tracer(clock).contextOf(HEADER);
  const result = await captureSegment(
    trace,
    'support',
    async (inner) => {
      clock.time += 2_000;
      await captureSubsegment(inner, 'anthropic', pause, { namespace: 'remote', annotations: { model: 'm-1' } });
      return 7;
    },
    { annotations: { task: 't-1' } },
  );
  expect(result).toBe(7);
  const { support, anthropic } = await daemon.documents(2);
  expect(support).toMatchObject({
    trace_id: ROOT,
    parent_id: '53995c3f42cd8ad8',
    start_time: START / 1000,
    annotations: { task: 't-1' },
  });
  expect(support).not.toHaveProperty('type');
  expect(anthropic).toMatchObject({
    trace_id: ROOT,
    parent_id: support?.id,
    type: 'subsegment',
    namespace: 'remote',
    start_time: START / 1000 + 2,
    annotations: { model: 'm-1' },
  });
  expect(anthropic?.id).toMatch(/^[0-9a-f]{16}$/);
  expect(anthropic?.id).not.toBe(support?.id);
  // It begins in the cloud's time, and lasts as long as it did.
  expect(Number(anthropic?.end_time) - Number(anthropic?.start_time)).toBeGreaterThanOrEqual(0.045);
  expect(Number(anthropic?.end_time) - Number(anthropic?.start_time)).toBeLessThan(5);
  expect(anthropic).not.toHaveProperty('fault');
});

test.each([
  ['a fault', new Error('it broke'), { fault: true }],
  ['an error for a status below 500', Object.assign(new Error('no'), { status: 400 }), { error: true }],
  ['a fault for a status of 500', Object.assign(new Error('oh'), { status: 503 }), { fault: true }],
  [
    'a throttle for 429, also of its cause',
    new Error('slow down', { cause: Object.assign(new Error('429'), { status: 429 }) }),
    { error: true, throttle: true, http: { response: { status: 429 } } },
  ],
])('work that fails is shown as %s, and its error is handed on', async (_, error, shown) => {
  const trace = tracer().contextOf(HEADER);
  const work = captureSubsegment(trace, 'search', () => Promise.reject(error));
  await expect(work).rejects.toBe(error);
  const { search } = await daemon.documents(1);
  expect(search).toMatchObject({
    ...shown,
    cause: { exceptions: [{ type: 'Error', message: error.message, id: expect.stringMatching(/^[0-9a-f]{16}$/) }] },
  });
  expect('fault' in (search ?? {})).toBe('fault' in shown);
});

test('work that gives a failure back is shown as it says', async () => {
  await captureSegment(tracer().contextOf(HEADER), 'support', async () => 'gone', {
    annotations: { task: 't-1' },
    outcomeOf: (result) => ({ failure: { code: 'agent_error', message: result }, annotations: { outcome: 'failed' } }),
  });
  expect((await daemon.documents(1)).support).toMatchObject({
    fault: true,
    annotations: { task: 't-1', outcome: 'failed' },
    cause: { exceptions: [{ type: 'agent_error', message: 'gone' }] },
  });
});

test('a trace that came without a parent has its segment at the top', async () => {
  await captureSegment(tracer().contextOf(`Root=${ROOT}`), 'support', async () => 1);
  expect((await daemon.documents(1)).support).not.toHaveProperty('parent_id');
});

test('signs that X-Ray does not take in a name are replaced, and long texts cut', async () => {
  const trace = tracer().contextOf(HEADER);
  const work = captureSubsegment(trace, `a<b>"${'x'.repeat(300)}`, () => Promise.reject(new Error('y'.repeat(5_000))));
  await expect(work).rejects.toThrow();
  const [name, document] = Object.entries(await daemon.documents(1))[0] ?? [];
  expect(name).toMatch(/^a_b__x+$/);
  expect(name).toHaveLength(200);
  expect(JSON.stringify(document).length).toBeLessThan(2_000);
});

test.each([
  ['is not sampled', `Root=${ROOT};Parent=53995c3f42cd8ad8;Sampled=0`],
  ['has no root', 'Sampled=1'],
  ['is not there', undefined],
])('nothing is sent when the header %s', async (_, header) => {
  const trace = tracer().contextOf(header);
  expect(trace).toBeUndefined();
  expect(await captureSegment(trace, 'support', async (inner) => inner)).toBeUndefined();
  await pause();
  expect(daemon.received).toBe(0);
});

test.each([undefined, '', 'nonsense'])('nothing is sent where there is no daemon (%j)', (address) => {
  expect(new Tracer(new FakeClock(), { AWS_XRAY_DAEMON_ADDRESS: address }).contextOf(HEADER)).toBeUndefined();
});

test('the daemon may have one address for TCP and another for UDP', async () => {
  const both = tracer(new FakeClock(), `tcp:127.0.0.1:1 udp:${daemon.address}`);
  await captureSubsegment(both.contextOf(HEADER), 'search', async () => 1);
  expect(Object.keys(await daemon.documents(1))).toEqual(['search']);
});

test('nothing fails when no daemon listens, or the daemon cannot be found', async () => {
  const gone = daemon.address;
  for (const address of [gone, 'no-such-host.invalid:2000']) {
    const trace = new Tracer(new FakeClock(), { AWS_XRAY_DAEMON_ADDRESS: address }).contextOf(HEADER);
    expect(await captureSubsegment(trace, 'search', async () => 'fine')).toBe('fine');
  }
  await pause();
});
