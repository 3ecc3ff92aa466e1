import { TASKS_PATH, type TaskRecord, type TaskResponse } from '../../lib/contract';

/** What a caller may see of a task. Lane, lease, attempts and trace are ours. */
export function taskResponseOf(task: TaskRecord): TaskResponse {
  const { id, status, priority, release, createdAt, attempts, startedAt, finishedAt, result, error, usage } = task;
  return {
    id,
    status,
    priority,
    ...(release === undefined ? {} : { release }),
    createdAt: iso(createdAt),
    attempts,
    ...(startedAt === undefined ? {} : { startedAt: iso(startedAt) }),
    ...(finishedAt === undefined ? {} : { finishedAt: iso(finishedAt) }),
    ...(result === undefined ? {} : { result }),
    ...(error === undefined ? {} : { error }),
    ...(usage === undefined ? {} : { usage }),
    links: { self: `${TASKS_PATH}/${id}` },
  };
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
