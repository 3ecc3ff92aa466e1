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

function write(witness: WriteObserver, ...records: readonly (TaskRecord | undefined)[]): void {
  records.reduce(
    (before, after) => {
      witness.onWrite({
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

describe('the witness', () => {
  test('counts one end, whatever is written into the record afterwards', () => {
    const witness = new WriteObserver();
    const ended = end({ endedBy: 'a' });
    write(witness, open(), open({ status: 'running', attempts: 2 }), ended, { ...ended, webhookDeliveredAt: 7 });
    expect(witness.ends).toEqual([{ taskId: TASK.id, ends: 1, redrives: 0 }]);
  });

  test.each([
    ['another worker', end({ endedBy: 'b' })],
    ['another result', end({ endedBy: 'a', result: 'other' })],
    ['another status', end({ endedBy: 'a', status: 'cancelled' })],
  ])('counts a second end: %s', (_, second) => {
    const witness = new WriteObserver();
    write(witness, open(), end({ endedBy: 'a' }), second);
    expect(witness.ends).toEqual([{ taskId: TASK.id, ends: 2, redrives: 0 }]);
  });

  test('knows how often an operator sent a task back', () => {
    const witness = new WriteObserver();
    const failed = end({ status: 'failed', endedBy: 'a', exhausted: true });
    write(witness, open(), failed, open({ redrives: 1 }), end({ endedBy: 'b', redrives: 1 }));
    expect(witness.ends).toEqual([{ taskId: TASK.id, ends: 2, redrives: 1 }]);
  });

  test('leaves out probes, and remembers the lane of acceptance', () => {
    const witness = new WriteObserver();
    const probe = end({ id: `t-${'f'.repeat(32)}`, mode: 'probe' });
    write(witness, probe);
    write(witness, open({ lane: 'candidate' }), open({ lane: 'stable' }));
    expect(witness.ends).toEqual([]);
    expect(witness.laneAtAcceptance(TASK.id)).toBe('candidate');
    expect(witness.laneAtAcceptance(probe.id)).toBeUndefined();
  });

  test('tells what was begun after it had been finished, by key and by mark', () => {
    const witness = new WriteObserver();
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
    witness.onWrite({ table: 'tasks', before: undefined, after: journaled('started') });
    const begun = (key: string, at: number, id = TASK.id) => ({ task: id, key, at });
    expect(witness.repeatedExecutions([begun('tool:note:7', before + 60_000)])).toEqual([]);
    witness.onWrite({ table: 'tasks', before: journaled('started'), after: journaled('finished') });
    expect(
      witness.repeatedExecutions([
        begun('tool:note:7', before - 1),
        begun('tool:note:7', before + 60_000),
        begun(entry.key, before + 60_000),
        begun('tool:note:8', before + 60_000),
        begun('tool:note:7', before + 60_000, `t-${'e'.repeat(32)}`),
      ]),
    ).toEqual([
      expect.stringMatching(new RegExp(`^tool:note:7 of ${TASK.id} was begun \\d+ ms after`)),
      expect.stringMatching(/^tool:note:0123456789ab#1 of /),
    ]);
  });
});

describe('the execution log', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'execution-log-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test('has what agents wrote down and what the provider was asked', () => {
    const log = new ExecutionLog(join(folder, 'executions.jsonl'));
    expect(log.executions()).toEqual([]);
    const line = { task: TASK.id, key: 'step:a', at: 1 };
    appendFileSync(log.environment[EXECUTION_LOG_VARIABLE] ?? '', `${JSON.stringify(line)}\n`);
    log.onPrompt(`Do it. live [execution ${TASK.id} model:0] Now.`);
    log.onPrompt('no mark');
    expect(log.executions()).toEqual([line, { task: TASK.id, key: 'model:0', at: expect.any(Number) }]);
  });

  test('a call that was on its way when its worker stood still was begun before', () => {
    const log = new ExecutionLog(join(folder, 'executions.jsonl'));
    log.onPrompt(`[execution ${TASK.id} model:0]`);
    const [asked] = log.executions();
    const at = asked?.at ?? 0;
    const still = (event: string, to: number) => log.executions([{ event, from: at - 5_000, to }])[0]?.at;
    expect(still(`{"taskId":"${TASK.id}"}`, at - 100)).toBe(at - 5_000);
    expect(still(`{"taskId":"${TASK.id}"}`, at - 1_000)).toBe(at);
    expect(still('{"taskId":"t-another"}', at - 100)).toBe(at);
  });

  test('a mark is found in JSON, and in JSON within JSON', () => {
    expect(executionKeyIn({ execution: 'tool:note:1' })).toBe('tool:note:1');
    expect(executionKeyIn(JSON.stringify({ text: JSON.stringify({ execution: 'model:2', score: 1 }) }))).toBe(
      'model:2',
    );
    expect(executionKeyIn({ other: 1 })).toBeUndefined();
    expect(executionKeyIn(undefined)).toBeUndefined();
  });
});
