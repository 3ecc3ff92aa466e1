import type { TaskRecord } from '../../../lib/contract';
import { checkInvariants } from '../../../rehearsal/drill/invariants';
import { type TracedCloud, tracesOf } from '../../../rehearsal/drill/observe/trace-watch';
import type { DrillHistory } from '../../../rehearsal/drill/report/history';
import { history, minute, task, user } from './histories';

const ROOT = '1-5759e988-bd862e3fe1be46a994272793';
const OTHER = '1-5759e988-000000000000000000000000';

const ran = (overrides: Partial<TaskRecord> = {}) =>
  task({
    user: user(1),
    createdAt: minute(1),
    trace: `Root=${ROOT};Parent=53995c3f42cd8ad8;Sampled=1`,
    usage: { modelCalls: 1, toolCalls: 1, inputTokens: 1, outputTokens: 1, cost: 0 },
    ...overrides,
  });

let ids = 0;
function document(trace: string, annotations: Record<string, unknown>, parent?: { readonly id: string }) {
  ids += 1;
  const id = ids.toString(16).padStart(16, '0');
  return { trace_id: trace, id, annotations, ...(parent === undefined ? {} : { parent_id: parent.id }) };
}

/** An attempt with a tool call, and a model call within a step of it. */
function attemptOf({ id }: TaskRecord, trace = ROOT) {
  const attempt = document(trace, { task: id });
  const step = document(trace, {}, attempt);
  return [document(trace, { tool: 'search' }, attempt), document(trace, { model: 'm' }, step), step, attempt];
}

function cloudOf(
  documents: readonly ReturnType<typeof document>[],
  lines: readonly unknown[] = [],
  type = 'AWS::Lambda::Function',
): TracedCloud {
  const roots = [...new Set(documents.map(({ trace_id }) => trace_id))];
  return {
    resources: () => [{ type }],
    logGroups: () => ['router'],
    logLines: () => ['START', ...lines.map((line) => JSON.stringify(line))].map((message) => ({ message })),
    traces: () => roots.map((id) => ({ id, documents: documents.filter(({ trace_id }) => trace_id === id) })),
  };
}

const accepted = ({ id }: TaskRecord, traceId = ROOT) => ({
  component: 'router',
  message: 'accepted',
  task: id,
  traceId,
});

test('a task is one trace: its request, its record, its attempts and their calls', () => {
  const one = ran();
  expect(tracesOf(cloudOf(attemptOf(one), [accepted(one)]), [one])).toEqual({
    checked: 1,
    mismatched: [],
    incomplete: [],
  });
});

test('a task of a repeated request may have the trace of either request', () => {
  const one = ran();
  const found = tracesOf(cloudOf(attemptOf(one), [accepted(one, OTHER), accepted(one)]), [one]);
  expect(found).toEqual({ checked: 1, mismatched: [], incomplete: [] });
});

test('reports a record or an attempt with another trace than its request', () => {
  const one = ran();
  const torn = tracesOf(cloudOf(attemptOf(one), [accepted(one, OTHER)]), [one]);
  expect(torn.mismatched).toEqual([`${one.id} was accepted under ${OTHER} and ran under ${ROOT}`]);
  const lost = tracesOf(cloudOf([...attemptOf(one), ...attemptOf(one, OTHER)], [accepted(one)]), [one]);
  expect(lost.mismatched).toEqual([`${one.id} was accepted under ${ROOT} and ran under ${OTHER}`]);
});

test('reports missing attempts, and calls outside the attempts of their task', () => {
  const one = ran();
  const [tool, model, step, attempt] = attemptOf(one) as Required<ReturnType<typeof document>>[];
  expect(tracesOf(cloudOf([tool, step, attempt] as never), [one]).incomplete).toEqual([
    `${one.id}: 1 of 2 calls, 1 attempts`,
  ]);
  expect(tracesOf(cloudOf([tool, model, attempt] as never), [one]).incomplete).toHaveLength(1);
  expect(tracesOf(cloudOf([]), [one]).incomplete).toEqual([`${one.id}: 0 of 2 calls, 0 attempts`]);
});

test('calls of an agent in a container need no segment, attempts do', () => {
  const one = ran();
  const attempt = document(ROOT, { task: one.id });
  expect(tracesOf(cloudOf([attempt], [], 'AWS::ECS::Service'), [one]).incomplete).toEqual([]);
  expect(tracesOf(cloudOf([], [], 'AWS::ECS::Service'), [one]).incomplete).toHaveLength(1);
});

test('does not check tasks that never ran or have no trace', () => {
  const waits = ran({ startedAt: undefined as never });
  const untraced = ran({ trace: undefined as never });
  expect(tracesOf(cloudOf([]), [waits, untraced]).checked).toBe(0);
});

describe('one-trace', () => {
  const brokenBy = (overrides: Partial<DrillHistory>) =>
    checkInvariants(history({ tasks: [ran()], ...overrides }))
      .filter(({ held }) => !held)
      .map(({ name }) => name);

  test('fails for a single task with a mismatched trace', () => {
    expect(brokenBy({ traces: { checked: 1_000, mismatched: ['t-1'], incomplete: [] } })).toEqual(['one-trace']);
  });

  test('fails when more segments are missing than a busy machine loses', () => {
    const incomplete = Array.from({ length: 11 }, (_, n) => `t-${n}`);
    expect(brokenBy({ traces: { checked: 110, mismatched: [], incomplete } })).toEqual([]);
    expect(brokenBy({ traces: { checked: 109, mismatched: [], incomplete } })).toEqual(['one-trace']);
  });

  test('is not checked with injected faults', () => {
    const faults = { injected: 1, byKind: {}, byTarget: {} };
    const traces = { checked: 2, mismatched: ['t-1'], incomplete: ['t-1', 't-2'] };
    expect(brokenBy({ faults, traces })).toEqual([]);
    expect(brokenBy({ traces })).toEqual(['one-trace']);
  });
});
