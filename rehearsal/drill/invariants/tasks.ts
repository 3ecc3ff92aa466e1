import { FINAL_STATUSES, type TaskRecord } from '../../../lib/contract';
import type { DrillHistory } from '../report/history';
import { endsTooMany } from './durability';
import { type Invariant, judge, plural } from './invariant';
import { isOverBudget } from './limits';

/** Ids that intake accepted, each once. */
export function acceptedIds(history: Pick<DrillHistory, 'submissions'>): ReadonlySet<string> {
  return new Set(history.submissions.flatMap(({ status, taskId }) => (status === 202 && taskId ? [taskId] : [])));
}

/** Accepted tasks that never reached a final status, or that the store knows nothing of. */
export function lostIds(history: Pick<DrillHistory, 'submissions' | 'tasks' | 'budget'>): readonly string[] {
  const kept = history.tasks.filter((task) => isFinal(task) || (history.budget !== undefined && waitsForNextDay(task)));
  const final = new Set(kept.map((task) => task.id));
  return [...acceptedIds(history)].filter((id) => !final.has(id));
}

/** Results written beyond one per task: as the store saw them, or as workers counted them, whichever is more. */
export function duplicateResults(history: Pick<DrillHistory, 'tasks' | 'resultsWritten' | 'ends'>): number {
  return Math.max(
    countedTwice(history),
    endsTooMany(history).reduce((sum, [, more]) => sum + more, 0),
  );
}

/** Results that workers counted beyond one per task. */
function countedTwice({ tasks, resultsWritten }: Pick<DrillHistory, 'tasks' | 'resultsWritten'>): number {
  return Math.max(0, (resultsWritten ?? 0) - tasks.filter(isFinal).length);
}

/** Of a drill that uses a budget up: the task was let in before that was known, and a worker sent it back to wait. */
export function waitsForNextDay({ status, uncounted = 0 }: TaskRecord): boolean {
  return status === 'queued' && uncounted > 0;
}

export function isFinal(task: TaskRecord): boolean {
  return FINAL_STATUSES.includes(task.status);
}

export const everyRequestAccepted: Invariant = {
  name: 'every-request-accepted',
  promise: 'every well-formed request is accepted with 202, if not at once then when its caller comes again as told',
  check: ({ submissions, budget }) =>
    judge(
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
    return judge(
      lostIds(history).map((id) => {
        const task = byId.get(id);
        return task === undefined
          ? `${id} is not in the store`
          : `${id} is ${task.status} in the ${task.lane} lane after ${plural(task.attempts, 'attempt')}`;
      }),
      `${plural(acceptedIds(history).size, 'task')} accepted, all final`,
    );
  },
};

export const oneFinalStatus: Invariant = {
  name: 'one-final-status',
  promise: 'a final task says when it ended, on which release, and carries a result or an error, never both',
  check: ({ tasks }) => {
    const final = tasks.filter(isFinal);
    const broken = final.flatMap((task) => {
      const missing = [
        ...(task.finishedAt === undefined ? ['no time of its end'] : []),
        ...(task.release === undefined && task.status !== 'cancelled' ? ['no release'] : []),
        ...(task.status === 'succeeded' && task.error !== undefined ? ['an error'] : []),
        ...(task.status !== 'succeeded' && task.result !== undefined ? ['a result'] : []),
        ...(task.status !== 'succeeded' && task.error === undefined ? ['no error'] : []),
        ...(task.lease === undefined ? [] : ['a lease']),
      ];
      return missing.length === 0 ? [] : [`${task.id} is ${task.status} with ${missing.join(' and ')}`];
    });
    return judge(broken, plural(final.length, 'final task'));
  },
};

export const oneResult: Invariant = {
  name: 'one-result',
  promise: 'no task is run to a result twice and no result is overwritten',
  check: (history) => {
    const duplicates = countedTwice(history);
    const final = history.tasks.filter(isFinal).length;
    return judge(
      duplicates === 0 ? [] : [`${history.resultsWritten} results were written for ${plural(final, 'task')}`],
      history.resultsWritten === undefined
        ? 'no result counted'
        : `${plural(history.resultsWritten, 'result')} written for ${plural(final, 'task')}`,
    );
  },
};

export const sameKeySameTask: Invariant = {
  name: 'same-key-same-task',
  promise: 'a request repeated under its idempotency key gets the task that it has, and no other task is made',
  check: ({ submissions, tasks }) => {
    const bySequence = new Map(submissions.map((submission) => [submission.sequence, submission]));
    const repeats = submissions.filter((submission) => submission.repeats !== undefined && submission.status === 202);
    const broken = repeats.flatMap((repeat) => {
      const first = bySequence.get(repeat.repeats ?? -1);
      return first === undefined || first.status !== 202 || first.taskId === repeat.taskId
        ? []
        : [`request ${repeat.sequence} got ${repeat.taskId}, the request that it repeats got ${first.taskId}`];
    });
    const known = acceptedIds({ submissions });
    const unasked = tasks.filter((task) => !known.has(task.id));
    // A request that was answered with an error may have left its task; only without such answers is every task known.
    const allAnswered = submissions.every((submission) => submission.status === 202);
    return judge(
      [...broken, ...(allAnswered ? unasked.map((task) => `${task.id} of ${task.user} was not asked for`) : [])],
      plural(repeats.length, 'repeat'),
    );
  },
};

export const readsAgree: Invariant = {
  name: 'reads-agree',
  promise: 'GET /tasks/{id} says what the store has',
  check: ({ reads, tasks }) => {
    const byId = new Map(tasks.map((task) => [task.id, task]));
    return judge(
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
