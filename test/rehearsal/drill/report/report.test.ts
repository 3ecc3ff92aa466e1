import { runtimesOf } from '../../../../rehearsal/drill/observe/observations';
import { buildReport } from '../../../../rehearsal/drill/report/report';
import { styleFor } from '../../../../rehearsal/drill/report/style';
import { renderReport } from '../../../../rehearsal/drill/report/table';
import { CANDIDATE, history, minute, release, rolledBack, task, user } from '../histories';

const run = { scenario: 'default', seed: 7, wallSeconds: 61.234 };
const plain = styleFor({ isTTY: false }, {});

const drill = history({
  tasks: [
    task({ user: user(3), createdAt: minute(120), lane: 'candidate', release: CANDIDATE }),
    task({ user: user(50), createdAt: minute(120) }),
  ],
  releases: [
    release(),
    rolledBack({
      shiftSeconds: 30.04,
      gates: [
        { name: 'support-errors', state: 'ALARM', value: 0.4, threshold: 0.05 },
        { name: 'support-cost', state: 'INSUFFICIENT_DATA', value: undefined, threshold: undefined },
      ],
    }),
  ],
});

test('the report has the documented fields', () => {
  const report = buildReport(drill, run);
  expect(report).toMatchObject({
    scenario: 'default',
    seed: 7,
    passed: true,
    wallSeconds: 61.2,
    speed: 60,
    handlerNode: { version: '24.1.0', otherRuntimes: [] },
    tasks: { submitted: 2, succeeded: 2, failed: 0, timedOut: 0, cancelled: 0, lost: 0, duplicateResults: 0 },
    routing: { violations: 0 },
    authorization: { calls: 10, denied: [] },
    alarmsWithoutData: [],
  });
  expect(report.releases[1]).toEqual({
    name: 'second',
    id: CANDIDATE,
    expected: 'rolled_back',
    verdict: 'rolled_back',
    reason: 'alarm support-errors',
    shiftSeconds: 30,
    usersTotal: 2,
    usersOnCandidate: 1,
    tasks: { stable: 1, candidate: 1 },
    gates: [
      { name: 'support-errors', state: 'ALARM', value: 0.4, threshold: 0.05 },
      { name: 'support-cost', state: 'INSUFFICIENT_DATA', value: null, threshold: null },
    ],
  });
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
});

test('the report names the Node.js of the handlers, and warns of functions with another major version', () => {
  const node = (version: string, runtimes: readonly string[]) => {
    const report = buildReport(history({ handlerNode: { version, runtimes } }), run);
    return {
      ...report.handlerNode,
      lines: renderReport(report, plain)
        .split('\n')
        .filter((line) => line.includes('Node.js')),
    };
  };
  expect(node('24.18.0', ['nodejs24.x'])).toEqual({
    version: '24.18.0',
    otherRuntimes: [],
    lines: ['node        handlers ran on Node.js 24.18.0'],
  });
  expect(node('22.20.0', ['nodejs22.x', 'nodejs24.x'])).toEqual({
    version: '22.20.0',
    otherRuntimes: ['nodejs24.x'],
    lines: [
      'node        handlers ran on Node.js 22.20.0',
      '  warning  the template has functions with Runtime nodejs24.x, and their handlers ran on Node.js 22.20.0: run the rehearsal on the Node.js of that runtime',
    ],
  });
});

test('the runtimes are those of the functions in the stack, each once', () => {
  const lambda = (Runtime: unknown) => ({ type: 'AWS::Lambda::Function', properties: { Runtime } });
  expect(
    runtimesOf([
      lambda('nodejs24.x'),
      lambda('nodejs22.x'),
      lambda('nodejs24.x'),
      lambda(undefined),
      { type: 'AWS::AppSync::FunctionConfiguration', properties: { Runtime: 'APPSYNC_JS' } },
    ]),
  ).toEqual(['nodejs22.x', 'nodejs24.x']);
});

test('the table shows each release with its reason, and no color without a terminal', () => {
  const table = renderReport(buildReport(drill, run), plain);
  expect(table).toMatch(/^release +id +expected +verdict/);
  expect(table).toMatch(/second +r-000000000002 +rolled_back +rolled_back +1\/2 +1 +1 +30 s/);
  expect(table).toContain('PASSED  default, seed 7, 61.2 s at speed 60');
  expect(table).not.toContain('\u001b[');
});

test('a run with chaos reports the injected faults and the executions', () => {
  const chaotic = history({
    tasks: drill.tasks,
    ends: drill.tasks.map(({ id }, index) => ({ taskId: id, ends: 1 + index, redrives: 0 })),
    faults: {
      injected: 12,
      byKind: { throttled: 9, workersKilled: 3 },
      byTarget: {
        throttled: { 'dynamodb.PutItem': 5, 'sqs.SendMessage': 2, 'dynamodb.Query': 1, 's3.PutObject': 1 },
        workersKilled: { worker: 3 },
      },
    },
    steps: {
      executed: 20,
      replayed: 4,
      executedAfterFinish: ['step:a of t-1 was begun 5 ms after it had been finished'],
    },
  });
  const report = buildReport(chaotic, run);
  expect(report).toMatchObject({
    passed: false,
    faults: { injected: 12, byKind: { throttled: 9, workersKilled: 3 } },
    steps: { executed: 20, replayed: 4, executedAfterFinish: 1 },
    tasks: { duplicateResults: 1 },
  });
  const table = renderReport(report, plain);
  expect(table).toContain('steps       20 executed, 4 replayed, 1 executed again after they had finished');
  expect(table).toContain('faults      12 injected');
  expect(table).toMatch(/9 {2}calls refused as too many {2}dynamodb.PutItem 5, sqs.SendMessage 2, dynamodb.Query 1, …/);
  expect(table).toMatch(/3 {2}workers killed at work {2}worker 3$/m);
  expect(table).not.toContain('heartbeats');
});

test('the table names the broken invariants', () => {
  const table = renderReport(buildReport(history({ destruction: undefined }), run), plain);
  expect(table).toContain('broken  no-resource-left');
  expect(table).toContain('the stack was not destroyed');
  expect(table).toContain('FAILED');
});

test('colors need a terminal and respect NO_COLOR', () => {
  expect(styleFor({ isTTY: true }, {}).success('x')).not.toBe('x');
  expect(styleFor({ isTTY: true }, { NO_COLOR: '1' }).success('x')).toBe('x');
  expect(styleFor({ isTTY: true }, { TERM: 'dumb' }).success('x')).toBe('x');
});
