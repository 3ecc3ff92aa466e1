import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TaskKey, type TaskRecord } from '../../../../lib/contract';
import {
  EXECUTION_LOG_VARIABLE,
  ExecutionLog,
  executionKeyIn,
} from '../../../../rehearsal/drill/observe/execution-log';
import { WriteObserver } from '../../../../rehearsal/drill/observe/write-observer';
import { minute, STABLE, task, user } from '../histories';

const TASK = task({ user: user(1), createdAt: minute(1) });

function open(changes: Partial<TaskRecord> = {}): TaskRecord {
  const { result, finishedAt, startedAt, ...rest } = TASK;
  return { ...rest, status: 'queued', ...changes };
}

const item = (record: TaskRecord) => ({ ...TaskKey.task(record.id), ...record });

function write(observer: WriteObserver, ...records: readonly (TaskRecord | undefined)[]): void {
  records.reduce(
    (before, after) => {
      observer.onWrite({
        table: 'tasks',
        before: before && item(before),
        after: after && item(after),
      });
      return after;
    },
    undefined as TaskRecord | undefined,
  );
}

const end = (changes: Partial<TaskRecord> = {}) =>
  open({ status: 'succeeded', finishedAt: 5, result: 'ok', ...changes });

describe('WriteObserver', () => {
  test('counts one end, also when the record is written again afterwards', () => {
    const observer = new WriteObserver();
    const ended = end({ endedBy: 'a' });
    write(observer, open(), open({ status: 'running', attempts: 2 }), ended, { ...ended, webhookDeliveredAt: 7 });
    expect(observer.ends).toEqual([{ taskId: TASK.id, ends: 1, redrives: 0 }]);
  });

  test.each([
    ['another worker', end({ endedBy: 'b' })],
    ['another result', end({ endedBy: 'a', result: 'other' })],
    ['another status', end({ endedBy: 'a', status: 'cancelled' })],
  ])('counts a second end: %s', (_, second) => {
    const observer = new WriteObserver();
    write(observer, open(), end({ endedBy: 'a' }), second);
    expect(observer.ends).toEqual([{ taskId: TASK.id, ends: 2, redrives: 0 }]);
  });

  test('counts the redrives of a task', () => {
    const observer = new WriteObserver();
    const failed = end({ status: 'failed', endedBy: 'a', exhausted: true });
    write(observer, open(), failed, open({ redrives: 1 }), end({ endedBy: 'b', redrives: 1 }));
    expect(observer.ends).toEqual([{ taskId: TASK.id, ends: 2, redrives: 1 }]);
  });

  test('ignores probes, and records the lane at acceptance', () => {
    const observer = new WriteObserver();
    const probe = end({ id: `t-${'f'.repeat(32)}`, mode: 'probe' });
    write(observer, probe);
    write(observer, open({ lane: 'candidate' }), open({ lane: 'stable' }));
    expect(observer.ends).toEqual([]);
    expect(observer.laneAtAcceptance(TASK.id)).toBe('candidate');
    expect(observer.laneAtAcceptance(probe.id)).toBeUndefined();
  });

  test('reports executions after the finish of the same key or mark', () => {
    const observer = new WriteObserver();
    const entry = {
      kind: 'tool',
      name: 'note',
      attempt: 1,
      token: 'a',
      release: STABLE,
      order: 0,
      at: 0,
      expiresAt: 9,
      key: 'tool:note:0123456789ab#1',
      json: '{"execution":"tool:note:7"}',
    };
    const journaled = (state: string) => ({ ...TaskKey.step(TASK.id, entry.key), ...entry, state });
    const before = Date.now();
    observer.onWrite({ table: 'tasks', before: undefined, after: journaled('started') });
    const execution = (key: string, at: number, id = TASK.id) => ({ task: id, key, at });
    expect(observer.repeatedExecutions([execution('tool:note:7', before + 60_000)])).toEqual([]);
    observer.onWrite({ table: 'tasks', before: journaled('started'), after: journaled('finished') });
    expect(
      observer.repeatedExecutions([
        execution('tool:note:7', before - 1),
        execution('tool:note:7', before + 60_000),
        execution(entry.key, before + 60_000),
        execution('tool:note:8', before + 60_000),
        execution('tool:note:7', before + 60_000, `t-${'e'.repeat(32)}`),
      ]),
    ).toEqual([
      expect.stringMatching(new RegExp(`^tool:note:7 of ${TASK.id} started again \\d+ ms after`)),
      expect.stringMatching(/^tool:note:0123456789ab#1 of /),
    ]);
  });
});

describe('ExecutionLog', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'execution-log-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test('has the executions of agents and the prompts of the provider', () => {
    const log = new ExecutionLog(join(folder, 'executions.jsonl'));
    expect(log.executions()).toEqual([]);
    const line = { task: TASK.id, key: 'step:a', at: 1 };
    appendFileSync(log.environment[EXECUTION_LOG_VARIABLE] ?? '', `${JSON.stringify(line)}\n`);
    log.onPrompt(`Do it. live [execution ${TASK.id} model:0] Now.`);
    log.onPrompt('no mark');
    expect(log.executions()).toEqual([line, { task: TASK.id, key: 'model:0', at: expect.any(Number) }]);
  });

  test('a model call in transit during a freeze counts as started before the freeze', () => {
    const log = new ExecutionLog(join(folder, 'executions.jsonl'));
    log.onPrompt(`[execution ${TASK.id} model:0]`);
    const [asked] = log.executions();
    const at = asked?.at ?? 0;
    const still = (event: string, to: number) => log.executions([{ event, from: at - 5_000, to }])[0]?.at;
    expect(still(`{"taskId":"${TASK.id}"}`, at - 100)).toBe(at - 5_000);
    expect(still(`{"taskId":"${TASK.id}"}`, at - 1_000)).toBe(at);
    expect(still('{"taskId":"t-another"}', at - 100)).toBe(at);
  });

  test('a mark is found in JSON, and in JSON inside of a JSON string', () => {
    expect(executionKeyIn({ execution: 'tool:note:1' })).toBe('tool:note:1');
    expect(executionKeyIn(JSON.stringify({ text: JSON.stringify({ execution: 'model:2', score: 1 }) }))).toBe(
      'model:2',
    );
    expect(executionKeyIn({ other: 1 })).toBeUndefined();
    expect(executionKeyIn(undefined)).toBeUndefined();
  });
});
