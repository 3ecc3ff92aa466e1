import type { TaskRecord } from '../../../lib/contract';
import { taskResponseOf } from '../../shared/tasks/task-response';

export interface Notification {
  /** The same for every delivery of one end of a task: receivers know a repeat by it. */
  readonly id: string;
  readonly body: string;
}

/**
 * What the caller is told: the task as the status API gives it. A result that is kept in the bucket is not in it; the
 * link leads to it.
 */
export function notificationOf(task: TaskRecord & { readonly finishedAt: number }): Notification {
  return {
    // A task that an operator sent back ends once more, and is told of once more.
    id: task.redrives === undefined ? task.id : `${task.id}-${task.redrives}`,
    body: JSON.stringify({
      type: `task.${task.status}`,
      timestamp: new Date(task.finishedAt).toISOString(),
      data: taskResponseOf(task),
    }),
  };
}
