import { runPreflight } from '../../../../lambda/functions/preflight/preflight';
import { MetricEmitter } from '../../../../lambda/shared/telemetry/emf';
import { Dimension, PreflightMetric, type ProbeResult, type TaskRecord } from '../../../../lib/contract';
import { awsError, FakeClock, OUTAGES, START } from '../../shared/support/fakes';

const RELEASE = 'r-0123456789ab';
const checks = [
  { name: 'behavior', ok: true, durationMs: 1 },
  { name: 'secret:anthropic', ok: true, durationMs: 2 },
];

interface Given {
  /** What the worker makes of the probe; undefined: nothing yet. */
  readonly work?: (probe: TaskRecord, trace: string, waited: number) => Partial<TaskRecord> | undefined;
  readonly create?: boolean;
  readonly gone?: boolean;
  /** What the first calls meet, by the call. */
  readonly outages?: Partial<Record<'create' | 'send' | 'get', readonly Error[]>>;
}

function succeeded(trace: string, result: Partial<ProbeResult> = {}): Partial<TaskRecord> {
  return { status: 'succeeded', release: RELEASE, attempts: 1, trace, result: { release: RELEASE, checks, ...result } };
}

async function run({ work = (_, trace) => succeeded(trace), create = true, gone = false, outages = {} }: Given = {}) {
  const clock = new FakeClock();
  const tokens = new Set<string>();
  const meet = (call: 'create' | 'send' | 'get') => {
    const outage = outages[call]?.[events.filter((event) => event === call).length];
    events.push(call);
    if (outage !== undefined) {
      throw outage;
    }
  };
  const events: string[] = [];
  const lines: string[] = [];
  let probe: TaskRecord | undefined;
  let trace = '';
  const verdict = await runPreflight({
    agent: 'support',
    release: RELEASE,
    timeoutSeconds: 60,
    clock,
    tasks: {
      create: async (task, token) => {
        tokens.add(token);
        meet('create');
        probe = task;
        return create;
      },
      get: async () => {
        meet('get');
        return probe === undefined || gone ? undefined : { ...probe, ...work(probe, trace, clock.time - START) };
      },
    },
    queues: {
      send: async (_, header) => {
        meet('send');
        trace = header;
      },
    },
    metrics: new MetricEmitter({ dimensions: { Agent: 'support' }, clock, sink: (line) => lines.push(line) }),
  });
  return { clock, events, lines, probe, tokens, verdict };
}

test('passes when the probe comes back from the candidate with everything in order', async () => {
  const { events, probe, verdict } = await run();
  expect(verdict).toMatchObject({ passed: true, details: { release: RELEASE, checks } });
  expect(events).toEqual(['create', 'send', 'get']);
  expect(probe).toMatchObject({
    mode: 'probe',
    lane: 'candidate',
    priority: 'high',
    status: 'queued',
    agent: 'support',
  });
});

test('counts the probe where the scaling of a lane without workers looks', async () => {
  const { lines } = await run();
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    expect.objectContaining({
      [PreflightMetric.PROBES]: 1,
      [Dimension.AGENT]: 'support',
      [Dimension.LANE]: 'candidate',
      _aws: {
        Timestamp: START,
        CloudWatchMetrics: [expect.objectContaining({ Dimensions: [[Dimension.AGENT, Dimension.LANE]] })],
      },
    }),
  ]);
});

test('waits for a probe that takes its time', async () => {
  const { clock, verdict } = await run({
    work: (_, trace, waited) => (waited < 50_000 ? undefined : succeeded(trace)),
  });
  expect(verdict.passed).toBe(true);
  expect(clock.time - START).toBe(50_000);
});

test.each<[string, NonNullable<Given['work']>, string]>([
  [
    'failed',
    (_, trace) => ({ ...succeeded(trace), status: 'failed', error: { code: 'probe_failed', message: 'no key' } }),
    'the probe ended as failed (probe_failed: no key)',
  ],
  ['timed out', (_, trace) => ({ ...succeeded(trace), status: 'timed_out' }), 'the probe ended as timed_out'],
  [
    'was run by another release',
    (_, trace) => ({ ...succeeded(trace), release: 'r-000000000000' }),
    'run by release r-000000000000',
  ],
  [
    'was run by no known release',
    (_, trace) => ({ ...succeeded(trace), release: undefined }) as never,
    'run by release none',
  ],
  [
    'names another release',
    (_, trace) => succeeded(trace, { release: 'r-000000000000' }),
    'result names release r-000000000000',
  ],
  ['ran no check', (_, trace) => succeeded(trace, { checks: [] }), 'ran no check'],
  [
    'has a check that failed',
    (_, trace) =>
      succeeded(trace, { checks: [...checks, { name: 'sessions', ok: false, durationMs: 1, message: 'denied' }] }),
    'check sessions failed: denied',
  ],
  ['left no result', (_, trace) => ({ ...succeeded(trace), result: 'fine' }), 'no result that can be read'],
  ['lost its trace', () => succeeded(''), 'tracing is broken'],
  [
    'ran under another trace',
    () => succeeded('Root=1-5759e988-bd862e3fe1be46a994272793'),
    'ran under 1-5759e988-bd862e3fe1be46a994272793',
  ],
  ['was not claimed', () => undefined, 'still queued after 60 s; no worker claimed it'],
  ['did not end', () => ({ status: 'running', attempts: 2 }), 'still running after 60 s; attempt 2 did not end'],
])('fails when the probe %s', async (_, work, reason) => {
  const { verdict } = await run({ work });
  expect(verdict.passed).toBe(false);
  expect(verdict.reason).toContain('preflight failed: ');
  expect(verdict.reason).toContain(reason);
});

test('fails naming everything that is wrong', async () => {
  const { verdict } = await run({
    work: () => ({
      status: 'failed',
      release: RELEASE,
      result: { release: RELEASE, checks: [{ name: 'model', ok: false, durationMs: 0 }] },
    }),
  });
  expect(verdict.reason).toBe(
    'preflight failed: the probe ended as failed; check model failed: no reason given; ' +
      `tracing is broken: the probe was sent with trace ${/1-[0-9a-f]{8}-[0-9a-f]{24}/.exec(verdict.reason)?.[0]} and ran under none`,
  );
});

test('fails when the record disappears', async () => {
  const { verdict } = await run({ gone: true });
  expect(verdict).toMatchObject({ passed: false, reason: expect.stringContaining('disappeared') });
});

test('fails when the probe cannot be recorded, and sends nothing', async () => {
  await expect(run({ create: false })).rejects.toThrow('is taken');
});

test.each(OUTAGES)('asks again where store or queue meet %s', async (_, outage) => {
  const { events, tokens, verdict } = await run({
    outages: { create: [outage, outage], send: [outage], get: [outage, outage, outage] },
  });
  expect(verdict.passed).toBe(true);
  expect(events).toEqual(['create', 'create', 'create', 'send', 'send', 'get', 'get', 'get', 'get']);
  // By its token a record that was written, and whose answer was lost, is known.
  expect(tokens.size).toBe(1);
});

test('fails when the store stays away for as long as the probe may take', async () => {
  const away = Array.from({ length: 100 }, () => awsError('ThrottlingException'));
  await expect(run({ outages: { get: away } })).rejects.toThrow('ThrottlingException');
});

test('fails at once with what no repetition overcomes', async () => {
  const denied = awsError('AccessDeniedException');
  await expect(run({ outages: { send: [denied] } })).rejects.toBe(denied);
});
