import { TASKS_PATH, type TaskRecord, type TaskResponse } from '../../../lib/contract';

/** The fields that do not come from the record. */
export type TaskExtras = Partial<Pick<TaskResponse, 'result' | 'queue'>>;

/** What a caller may see of a task. Lane, lease and trace are ours. */
export function taskResponseOf(task: TaskRecord, extras: TaskExtras = {}): TaskResponse {
  const { id, status, priority, release, createdAt, attempts, startedAt, finishedAt, deadlineAt } = task;
  const { result = extras.result, error, usage, models, cancelRequestedAt } = task;
  return {
    id,
    status,
    priority,
    release,
    createdAt: iso(createdAt),
    attempts,
    ...(startedAt === undefined ? {} : { startedAt: iso(startedAt) }),
    ...(finishedAt === undefined ? {} : { finishedAt: iso(finishedAt) }),
    ...(deadlineAt === undefined ? {} : { deadline: iso(deadlineAt) }),
    ...(cancelRequestedAt === undefined ? {} : { cancelRequested: true }),
    queue: extras.queue,
    result,
    error,
    usage,
    models,
    links: linksOf(id),
  };
}

export function linksOf(id: string): { self: string } {
  return { self: `${TASKS_PATH}/${id}` };
}

export function iso(time: number): string {
  return new Date(time).toISOString();
}
