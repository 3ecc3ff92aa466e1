import type { TaskRecord } from '../../../lib/contract';
import { taskResponseOf } from '../../shared/tasks/task-response';

export interface Notification {
  /** The same for every delivery of one end of a task: receivers know a repeat by it. */
  readonly id: string;
  readonly body: string;
}

/**
 * Body of the webhook: the task as the status API returns it. A result that is stored in the bucket is not in the body;
 * the link leads to it.
 */
export function notificationOf(task: TaskRecord & { readonly finishedAt: number }): Notification {
  return {
    // A redriven task ends once more, and its end is reported once more.
    id: task.redrives === undefined ? task.id : `${task.id}-${task.redrives}`,
    body: JSON.stringify({
      type: `task.${task.status}`,
      timestamp: new Date(task.finishedAt).toISOString(),
      data: taskResponseOf(task),
    }),
  };
}
