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

/** Sees every write to the tasks table, whoever made it, and draws its own conclusions. */
export class WriteObserver {
  readonly #ended = new Map<string, { ends: number; redrives: number }>();
  /** `<task> <thing>` → real milliseconds since 1970 when the journal had it as finished. */
  readonly #finished = new Map<string, number>();
  readonly #lanes = new Map<string, LaneName>();

  readonly onWrite = ({ before, after }: ObservedWrite): void => {
    const sortKey = String(after?.[SORT_KEY] ?? before?.[SORT_KEY]);
    if (sortKey === TASK_SORT_KEY && after !== undefined) {
      this.#seeTask(before, after);
    } else if (sortKey.startsWith(STEP_SORT_KEY_PREFIX) && after !== undefined) {
      this.#seeEntry(before, after);
    }
  };

  /** Tasks that came to an end, with how often. */
  get ends(): readonly TaskEnds[] {
    return [...this.#ended].map(([taskId, { ends, redrives }]) => ({ taskId, ends, redrives }));
  }

  /** The lane that a task was given at its acceptance: handed back, it may have ended in another. */
  laneAtAcceptance(taskId: string): LaneName | undefined {
    return this.#lanes.get(taskId);
  }

  /** Things that were begun after the journal had them as finished. */
  repeatedExecutions(executions: readonly Execution[]): readonly string[] {
    return executions.flatMap(({ task, key, at }) => {
      const finished = this.#finished.get(`${task} ${key}`);
      return finished !== undefined && at > finished
        ? [`${key} of ${task} was begun ${at - finished} ms after it had been finished`]
        : [];
    });
  }

  #seeTask(before: Item | undefined, after: Item): void {
    const task = taskRecordSchema.parse(after);
    if (task.mode !== 'live') {
      return;
    }
    if (before === undefined) {
      this.#lanes.set(task.id, task.lane);
    }
    const redrives = task.redrives ?? 0;
    if (isFinal(task) && (before === undefined || !sameEnd(taskRecordSchema.parse(before), task))) {
      this.#ended.set(task.id, { ends: (this.#ended.get(task.id)?.ends ?? 0) + 1, redrives });
    }
  }

  #seeEntry(before: Item | undefined, after: Item): void {
    const entry = journalEntrySchema.parse(after);
    if (entry.state !== 'finished' || before?.state === 'finished') {
      return;
    }
    // Tools and model calls are told apart by what they gave: their keys in the journal are digests.
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

/** Whether a write left the end of a task as it was: a webhook's delivery is written into the record as well. */
function sameEnd(before: TaskRecord, after: TaskRecord): boolean {
  return (
    before.status === after.status &&
    before.endedBy === after.endedBy &&
    before.finishedAt === after.finishedAt &&
    JSON.stringify([before.result, before.resultRef, before.error]) ===
      JSON.stringify([after.result, after.resultRef, after.error])
  );
}
