import { TASK_ID_PATTERN, TASKS_PATH, type TaskRecord } from '../../lib/contract';
import { isUnavailable } from '../common/aws-errors';
import { errorResponse, type HttpEvent, type HttpResponse, jsonResponse, Refusal, subjectOf } from '../common/http';
import type { Log } from '../common/logger';
import { taskResponseOf } from './task-response';

export interface GetTaskProps {
  readonly tasks: { get(taskId: string): Promise<TaskRecord | undefined> };
  /** `jwt`: a task is shown to its owner only. `iam`: whoever may call the API acts for all users. */
  readonly auth: 'iam' | 'jwt';
  readonly logger: Log;
}

/** Answers `GET /tasks/{id}`. Does not reject: whatever happens becomes a response. */
export async function getTask(event: HttpEvent, { tasks, auth, logger }: GetTaskProps): Promise<HttpResponse> {
  try {
    const id = taskIdIn(event);
    const task = await tasks.get(id).catch((cause: unknown) => {
      throw new Refusal(
        isUnavailable(cause) ? 'unavailable' : 'internal',
        'the task could not be read; ask again later',
        undefined,
        { cause },
      );
    });
    // Other users' tasks are not found, like ids that do not exist: an answer must not tell the two apart. Probes and
    // shadows are nobody's.
    if (task === undefined || task.mode !== 'live' || (auth === 'jwt' && task.user !== subjectOf(event))) {
      throw notFound(id);
    }
    return jsonResponse(200, taskResponseOf(task), { 'cache-control': 'no-store' });
  } catch (error) {
    const refusal =
      error instanceof Refusal
        ? error
        : new Refusal('internal', 'the request could not be handled', undefined, { cause: error });
    const line = { code: refusal.code, reason: refusal.message };
    if (refusal.cause instanceof Error) {
      logger.error('request refused', { ...line, error: refusal.cause });
    } else {
      logger.info('request refused', line);
    }
    return errorResponse(refusal);
  }
}

function taskIdIn(event: HttpEvent): string {
  const { method } = event.requestContext.http;
  const id = event.pathParameters?.id;
  if (method !== 'GET' || id === undefined) {
    throw new Refusal(
      'not_found',
      `no such operation: ${method} ${event.rawPath}; tasks are read by GET ${TASKS_PATH}/{id}`,
    );
  }
  if (!TASK_ID_PATTERN.test(id)) {
    throw notFound(id);
  }
  return id;
}

function notFound(id: string): Refusal {
  return new Refusal('not_found', `no such task: ${id.slice(0, 64)}`);
}
