import { FINAL_STATUSES } from '../../../lib/contract';
import type { DrillHistory } from '../report/history';
import { type Invariant, judge, plural } from './invariant';

/** Ends beyond one for each time that a task was set going. */
export function endsTooMany({
  ends,
}: Pick<DrillHistory, 'ends'>): readonly (readonly [taskId: string, more: number])[] {
  return ends.flatMap(({ taskId, ends: count, redrives }) =>
    count > 1 + redrives ? [[taskId, count - 1 - redrives] as const] : [],
  );
}

export const oneEnd: Invariant = {
  name: 'one-end',
  promise: 'the store sees every task end exactly once, and once more for each time that an operator sends it back',
  check: (history) =>
    judge(
      endsTooMany(history).map(([taskId, more]) => `${taskId} ended ${plural(more, 'time')} too often`),
      `${plural(history.ends.length, 'end')} seen`,
    ),
};

export const finishedStepsStay: Invariant = {
  name: 'finished-steps-stay',
  promise: 'no step, tool or model call is begun again once it has been finished',
  check: ({ steps }) =>
    judge(
      steps?.executedAfterFinish ?? [],
      steps === undefined
        ? 'not judged: the agent writes down nothing'
        : `${plural(steps.executed, 'execution')}, ${plural(steps.replayed, 'replay')}`,
    ),
};

export const deadLettersAreExhausted: Invariant = {
  name: 'dead-letters',
  promise: 'the dead-letter queues hold the tasks that failed after their last attempt, and no others',
  check: ({ deadLetters, tasks }) => {
    const dead = new Set(deadLetters);
    const exhausted = tasks.filter((task) => task.exhausted === true).map(({ id }) => id);
    const known = new Set(exhausted);
    const byId = new Map(tasks.map((task) => [task.id, task]));
    return judge(
      [
        ...exhausted.filter((id) => !dead.has(id)).map((id) => `${id} failed for good and is in no dead-letter queue`),
        ...[...dead]
          .filter((id) => !known.has(id))
          .map((id) => `${id} is in a dead-letter queue and ${byId.get(id)?.status ?? 'unknown'}`),
      ],
      plural(dead.size, 'task'),
    );
  },
};

export const cancellationsHold: Invariant = {
  name: 'cancellations-hold',
  promise: 'a task whose caller was told that it is cancelled ends as cancelled',
  check: ({ cancellations, tasks }) => {
    const byId = new Map(tasks.map((task) => [task.id, task]));
    return judge(
      cancellations.flatMap(({ taskId, status }) => {
        const found = byId.get(taskId)?.status;
        switch (status) {
          case 200:
            return found === 'cancelled' ? [] : [`${taskId}: answered 200, is ${found}`];
          case 202:
          case 409:
            return found !== undefined && FINAL_STATUSES.includes(found) ? [] : [`${taskId}: is ${found}`];
          default:
            return [`${taskId}: answered ${status}`];
        }
      }),
      plural(cancellations.length, 'cancellation'),
    );
  },
};

export const webhooksTell: Invariant = {
  name: 'webhooks-tell',
  promise: 'a caller who asked for a webhook is told how the task ended, with a signature that holds',
  check: ({ webhooks, tasks }) => {
    const told = new Set(webhooks.map(({ taskId, type }) => `${taskId} ${type}`));
    const owed = tasks.filter((task) => task.webhook !== undefined);
    return judge(
      [
        ...owed
          .filter(({ id, status }) => !told.has(`${id} task.${status}`))
          .map(({ id, status }) => `the caller of ${id} was not told that it is ${status}`),
        ...webhooks
          .filter(({ signed }) => !signed)
          .map(({ taskId }) => `the webhook of ${taskId} is not signed rightly`),
      ],
      `${plural(webhooks.length, 'delivery').replace('deliverys', 'deliveries')} for ${plural(owed.length, 'task')}`,
    );
  },
};
