import {
  FINAL_STATUSES,
  journalEntrySchema,
  type LaneName,
  SORT_KEY,
  STEP_SORT_KEY_PREFIX,
  TASK_SORT_KEY,
  type TaskRecord,
  taskRecordSchema,
} from '../../../lib/contract';
import type { ObservedWrite } from '../../cloud';
import type { TaskEnds } from '../report/history';
import { type Execution, executionKeyIn } from './execution-log';

type Item = Readonly<Record<string, unknown>>;

/** Observes every write to the tasks table, independent of the writer. */
export class WriteObserver {
  readonly #endCounts = new Map<string, { ends: number; redrives: number }>();
  /** `<task> <key>` → real milliseconds since 1970 at which the journal recorded it as finished. */
  readonly #finished = new Map<string, number>();
  readonly #lanes = new Map<string, LaneName>();

  readonly onWrite = ({ before, after }: ObservedWrite): void => {
    const sortKey = String(after?.[SORT_KEY] ?? before?.[SORT_KEY]);
    if (sortKey === TASK_SORT_KEY && after !== undefined) {
      this.#observeTask(before, after);
    } else if (sortKey.startsWith(STEP_SORT_KEY_PREFIX) && after !== undefined) {
      this.#observeJournalEntry(before, after);
    }
  };

  /** Tasks that ended, and how often. */
  get ends(): readonly TaskEnds[] {
    return [...this.#endCounts].map(([taskId, { ends, redrives }]) => ({ taskId, ends, redrives }));
  }

  /** Lane of a task at its acceptance: after a requeue it may end in another. */
  laneAtAcceptance(taskId: string): LaneName | undefined {
    return this.#lanes.get(taskId);
  }

  /** Executions that started after the journal had recorded them as finished. */
  repeatedExecutions(executions: readonly Execution[]): readonly string[] {
    return executions.flatMap(({ task, key, at }) => {
      const finished = this.#finished.get(`${task} ${key}`);
      return finished !== undefined && at > finished
        ? [`${key} of ${task} started again ${at - finished} ms after it had finished`]
        : [];
    });
  }

  #observeTask(before: Item | undefined, after: Item): void {
    const task = taskRecordSchema.parse(after);
    if (task.mode !== 'live') {
      return;
    }
    if (before === undefined) {
      this.#lanes.set(task.id, task.lane);
    }
    const redrives = task.redrives ?? 0;
    if (isFinal(task) && (before === undefined || !hasSameEnd(taskRecordSchema.parse(before), task))) {
      this.#endCounts.set(task.id, { ends: (this.#endCounts.get(task.id)?.ends ?? 0) + 1, redrives });
    }
  }

  #observeJournalEntry(before: Item | undefined, after: Item): void {
    const entry = journalEntrySchema.parse(after);
    if (entry.state !== 'finished' || before?.state === 'finished') {
      return;
    }
    // Tool and model calls are identified by the mark in their results: their keys in the journal are digests.
    for (const key of [entry.key, executionKeyIn(entry.json)]) {
      if (key !== undefined) {
        this.#finished.set(`${String(after.pk)} ${key}`, Date.now());
      }
    }
  }
}

function isFinal({ status }: TaskRecord): boolean {
  return FINAL_STATUSES.includes(status);
}

/** Whether a write did not change the end of a task: the delivery of a webhook is written to the record too. */
function hasSameEnd(before: TaskRecord, after: TaskRecord): boolean {
  return (
    before.status === after.status &&
    before.endedBy === after.endedBy &&
    before.finishedAt === after.finishedAt &&
    JSON.stringify([before.result, before.resultRef, before.error]) ===
      JSON.stringify([after.result, after.resultRef, after.error])
  );
}
