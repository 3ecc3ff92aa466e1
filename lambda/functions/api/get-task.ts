import type { BacklogItem, Json, PayloadRef, TaskRecord, TaskResponse } from '../../../lib/contract';
import { type HttpEvent, type HttpResponse, jsonResponse } from '../../shared/http/http';
import { orRefuse } from '../../shared/http/refusals';
import { iso, type TaskExtras, taskResponseOf } from '../../shared/tasks/task-response';
import { type OwnTaskDeps, ownTask } from './own-task';

export interface GetTaskDeps extends OwnTaskDeps {
  readonly payloads: { get(ref: PayloadRef): Promise<Json> };
  readonly backlog: { current(): Promise<BacklogItem | undefined> };
}

/** Answers `GET /tasks/{id}`. */
export async function getTask(event: HttpEvent, props: GetTaskDeps): Promise<HttpResponse> {
  const task = await ownTask(event, props);
  return jsonResponse(200, taskResponseOf(task, await extrasOf(task, props)), { 'cache-control': 'no-store' });
}

async function extrasOf(task: TaskRecord, { payloads, backlog }: GetTaskDeps): Promise<TaskExtras> {
  const { status, resultRef } = task;
  if (resultRef !== undefined) {
    const result = await orRefuse('the result could not be read', () => payloads.get(resultRef));
    return { result: result as NonNullable<TaskResponse['result']> };
  }
  const snapshot = status === 'queued' ? await backlog.current() : undefined;
  return snapshot === undefined ? {} : { queue: placeInLine(task, snapshot) };
}

function placeInLine({ lane, priority }: TaskRecord, { queues, takenAt }: BacklogItem): TaskResponse['queue'] {
  const { waiting, oldestSeconds } = queues[lane][priority];
  return {
    // The task may have come after the count.
    backlog: Math.max(1, waiting),
    oldestSeconds,
    asOf: iso(takenAt),
  };
}
