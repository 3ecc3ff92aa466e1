import { HttpErrorCode, TASK_ID_PATTERN, type TaskRecord } from '../../../lib/contract';
import type { Clock } from '../../shared/clock';
import { type HttpEvent, Refusal, subjectOf } from '../../shared/http/http';
import { orRefuse } from '../../shared/http/refusals';
import type { TaskRepository } from '../../shared/tasks/task-repository';

export interface OwnTaskDeps {
  readonly tasks: Pick<TaskRepository, 'get'>;
  /** `jwt`: only its owner has access to a task. `iam`: a caller of the API acts for all users. */
  readonly auth: 'iam' | 'jwt';
  readonly clock: Clock;
}

/**
 * The task that the request is about, as it is now.
 *
 * Other users' tasks are not found, like ids that do not exist: an answer must not tell the two apart. Probes and shadows
 * have no owner, and a task past its expiry is gone, although DynamoDB takes days to delete it.
 *
 * @throws Refusal not_found, unavailable or internal
 */
export async function ownTask(event: HttpEvent, { tasks, auth, clock }: OwnTaskDeps): Promise<TaskRecord> {
  const id = event.pathParameters?.id ?? '';
  const task = TASK_ID_PATTERN.test(id) ? await orRefuse('the task could not be read', () => tasks.get(id)) : undefined;
  if (
    task === undefined ||
    task.mode !== 'live' ||
    task.expiresAt < Math.floor(clock.now() / 1000) ||
    (auth === 'jwt' && task.user !== subjectOf(event))
  ) {
    throw new Refusal(HttpErrorCode.NOT_FOUND, `no such task: ${id.slice(0, 64)}`);
  }
  return task;
}
