import { FINAL_STATUSES, type TaskRecord } from '../../../lib/contract';
import type { DrillHistory } from '../report/history';
import { duplicateEnds } from './durability';
import { findingOf, type Invariant, plural } from './invariant';
import { isOverBudget } from './limits';

/** Distinct ids that the intake accepted. */
export function acceptedIds(history: Pick<DrillHistory, 'submissions'>): ReadonlySet<string> {
  return new Set(history.submissions.flatMap(({ status, taskId }) => (status === 202 && taskId ? [taskId] : [])));
}

/** Accepted tasks without a final status or without a record. */
export function lostIds(history: Pick<DrillHistory, 'submissions' | 'tasks' | 'budget'>): readonly string[] {
  const kept = history.tasks.filter((task) => isFinal(task) || (history.budget !== undefined && waitsForNextDay(task)));
  const final = new Set(kept.map((task) => task.id));
  return [...acceptedIds(history)].filter((id) => !final.has(id));
}

/** Results beyond one per task: the higher of the counts by writes to the table and by the workers' metric. */
export function duplicateResults(history: Pick<DrillHistory, 'tasks' | 'resultsWritten' | 'ends'>): number {
  return Math.max(
    countedTwice(history),
    duplicateEnds(history).reduce((sum, [, more]) => sum + more, 0),
  );
}

/** Results that workers counted beyond one per task. */
function countedTwice({ tasks, resultsWritten }: Pick<DrillHistory, 'tasks' | 'resultsWritten'>): number {
  return Math.max(0, (resultsWritten ?? 0) - tasks.filter(isFinal).length);
}

/** In a drill that exhausts a budget: the task was accepted before the budget was exhausted, and a worker requeued it for the next day. */
export function waitsForNextDay({ status, uncounted = 0 }: TaskRecord): boolean {
  return status === 'queued' && uncounted > 0;
}

export function isFinal(task: TaskRecord): boolean {
  return FINAL_STATUSES.includes(task.status);
}

export const everyRequestAccepted: Invariant = {
  name: 'every-request-accepted',
  promise: 'every valid request is accepted with 202, at once or when the caller retries as asked',
  check: ({ submissions, budget }) =>
    findingOf(
      submissions
        .filter((submission) => submission.status !== 202 && !(budget !== undefined && isOverBudget(submission)))
        .map((submission) =>
          `request ${submission.sequence} of ${submission.user}: ${submission.status} ${submission.problem ?? ''}`.trim(),
        ),
      plural(submissions.length, 'request'),
    ),
};

export const noTaskLost: Invariant = {
  name: 'no-task-lost',
  promise: 'every accepted task reaches a final status',
  check: (history) => {
    const byId = new Map(history.tasks.map((task) => [task.id, task]));
    return findingOf(
      lostIds(history).map((id) => {
        const task = byId.get(id);
        return task === undefined
          ? `${id} has no record`
          : `${id} is ${task.status} in the ${task.lane} lane after ${plural(task.attempts, 'attempt')}`;
      }),
      `${plural(acceptedIds(history).size, 'task')} accepted, all final`,
    );
  },
};

export const oneFinalStatus: Invariant = {
  name: 'one-final-status',
  promise: 'the record of a final task has its end, its release, and either a result or an error',
  check: ({ tasks }) => {
    const final = tasks.filter(isFinal);
    const broken = final.flatMap((task) => {
      const missing = [
        ...(task.finishedAt === undefined ? ['no end time'] : []),
        ...(task.release === undefined && task.status !== 'cancelled' ? ['no release'] : []),
        ...(task.status === 'succeeded' && task.error !== undefined ? ['an error'] : []),
        ...(task.status !== 'succeeded' && task.result !== undefined ? ['a result'] : []),
        ...(task.status !== 'succeeded' && task.error === undefined ? ['no error'] : []),
        ...(task.lease === undefined ? [] : ['a lease']),
      ];
      return missing.length === 0 ? [] : [`${task.id} is ${task.status} with ${missing.join(' and ')}`];
    });
    return findingOf(broken, plural(final.length, 'final task'));
  },
};

export const oneResult: Invariant = {
  name: 'one-result',
  promise: 'no task has two results, and no result is overwritten',
  check: (history) => {
    const duplicates = countedTwice(history);
    const final = history.tasks.filter(isFinal).length;
    return findingOf(
      duplicates === 0 ? [] : [`${history.resultsWritten} results were written for ${plural(final, 'task')}`],
      history.resultsWritten === undefined
        ? 'no result counted'
        : `${plural(history.resultsWritten, 'result')} written for ${plural(final, 'task')}`,
    );
  },
};

export const sameKeySameTask: Invariant = {
  name: 'same-key-same-task',
  promise: 'a request repeated with its idempotency key gets the same task, and no other task is created',
  check: ({ submissions, tasks }) => {
    const bySequence = new Map(submissions.map((submission) => [submission.sequence, submission]));
    const repeats = submissions.filter((submission) => submission.repeats !== undefined && submission.status === 202);
    const broken = repeats.flatMap((repeat) => {
      const first = bySequence.get(repeat.repeats ?? -1);
      return first === undefined || first.status !== 202 || first.taskId === repeat.taskId
        ? []
        : [`request ${repeat.sequence} got ${repeat.taskId}, expected ${first.taskId} as the first request`];
    });
    const known = acceptedIds({ submissions });
    const unrequested = tasks.filter((task) => !known.has(task.id));
    // A request that got an error may have created its task, so every task is known only without errors.
    const allAnswered = submissions.every((submission) => submission.status === 202);
    return findingOf(
      [...broken, ...(allAnswered ? unrequested.map((task) => `${task.id} of ${task.user} was not requested`) : [])],
      plural(repeats.length, 'repeat'),
    );
  },
};

export const readsAgree: Invariant = {
  name: 'reads-agree',
  promise: 'GET /tasks/{id} returns the status in the tasks table',
  check: ({ reads, tasks }) => {
    const byId = new Map(tasks.map((task) => [task.id, task]));
    return findingOf(
      reads.flatMap((read) => {
        const stored = byId.get(read.taskId)?.status;
        return read.status === 200 && read.taskStatus === stored
          ? []
          : [`${read.taskId}: answered ${read.status} ${read.taskStatus ?? ''}, stored ${stored ?? 'nothing'}`];
      }),
      plural(reads.length, 'read'),
    );
  },
};
