import { FINAL_STATUSES } from '../../../lib/contract';
import type { DrillHistory } from '../report/history';
import { findingOf, type Invariant, plural } from './invariant';

/** Tasks that ended more often than once plus once per redrive. */
export function duplicateEnds({
  ends,
}: Pick<DrillHistory, 'ends'>): readonly (readonly [taskId: string, more: number])[] {
  return ends.flatMap(({ taskId, ends: count, redrives }) =>
    count > 1 + redrives ? [[taskId, count - 1 - redrives] as const] : [],
  );
}

export const oneEnd: Invariant = {
  name: 'one-end-per-task',
  promise: 'every task ends exactly once in the tasks table, and once more after each redrive',
  check: (history) =>
    findingOf(
      duplicateEnds(history).map(([taskId, more]) => `${taskId} ended ${plural(more, 'time')} too often`),
      `${plural(history.ends.length, 'end')} seen`,
    ),
};

export const finishedStepsNotRepeated: Invariant = {
  name: 'finished-steps-not-repeated',
  promise: 'no step, tool call or model call runs again after it has finished',
  check: ({ steps }) =>
    findingOf(
      steps?.executedAfterFinish ?? [],
      steps === undefined
        ? 'not checked: the agent logs no executions'
        : `${plural(steps.executed, 'execution')}, ${plural(steps.replayed, 'replay')}`,
    ),
};

export const deadLettersExhausted: Invariant = {
  name: 'dead-letters',
  promise: 'the dead-letter queues contain the tasks that failed at their last attempt, and no others',
  check: ({ deadLetters, tasks }) => {
    const dead = new Set(deadLetters);
    const exhausted = tasks.filter((task) => task.exhausted === true).map(({ id }) => id);
    const known = new Set(exhausted);
    const byId = new Map(tasks.map((task) => [task.id, task]));
    return findingOf(
      [
        ...exhausted
          .filter((id) => !dead.has(id))
          .map((id) => `${id} failed at its last attempt and is in no dead-letter queue`),
        ...[...dead]
          .filter((id) => !known.has(id))
          .map((id) => `${id} is in a dead-letter queue, but its status is ${byId.get(id)?.status ?? 'unknown'}`),
      ],
      plural(dead.size, 'task'),
    );
  },
};

export const cancellationsKept: Invariant = {
  name: 'cancellations-kept',
  promise: 'a task whose cancellation was confirmed ends as cancelled',
  check: ({ cancellations, tasks }) => {
    const byId = new Map(tasks.map((task) => [task.id, task]));
    return findingOf(
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

export const webhooksDelivered: Invariant = {
  name: 'webhooks-delivered',
  promise: 'every requested webhook is delivered with the final status and a valid signature',
  check: ({ webhooks, tasks }) => {
    const told = new Set(webhooks.map(({ taskId, type }) => `${taskId} ${type}`));
    const owed = tasks.filter((task) => task.webhook !== undefined);
    return findingOf(
      [
        ...owed
          .filter(({ id, status }) => !told.has(`${id} task.${status}`))
          .map(({ id, status }) => `no webhook said that ${id} is ${status}`),
        ...webhooks
          .filter(({ signed }) => !signed)
          .map(({ taskId }) => `the webhook of ${taskId} has no valid signature`),
      ],
      `${plural(webhooks.length, 'delivery').replace('deliverys', 'deliveries')} for ${plural(owed.length, 'task')}`,
    );
  },
};
