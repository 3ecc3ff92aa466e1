import {
  type CancelResponse,
  DAY_SECONDS,
  Dimension,
  FINAL_STATUSES,
  HttpErrorCode,
  INTAKE_DIMENSION_SETS,
  IntakeMetric,
  type TaskError,
  type TaskRecord,
} from '../../../lib/contract';
import { type HttpEvent, type HttpResponse, jsonResponse, Refusal } from '../../shared/http/http';
import { orRefuse } from '../../shared/http/refusals';
import type { TaskRepository } from '../../shared/tasks/task-repository';
import { linksOf } from '../../shared/tasks/task-response';
import { owesWebhook } from '../../shared/tasks/webhook-outbox';
import type { MetricEmitter } from '../../shared/telemetry/emf';
import type { Log } from '../../shared/telemetry/logger';
import { type OwnTaskDeps, ownTask } from './own-task';

export interface CancelTaskDeps extends OwnTaskDeps {
  readonly tasks: Pick<TaskRepository, 'get' | 'cancelQueued' | 'requestCancellation'>;
  /** Undefined: the agent was deployed without webhooks. */
  readonly webhooks: { announce(task: TaskRecord): Promise<void> } | undefined;
  /** Days that an ended task is kept. */
  readonly retentionDays: number;
  readonly logger: Log;
  readonly metrics: MetricEmitter;
}

/** Times that a task may change hands while it is being cancelled. */
const MAX_TRIES = 5;

const CANCELLED: TaskError = { code: 'cancelled', message: 'the task was cancelled by its caller' };

const UNREACHED = 'the task could not be cancelled';

/**
 * Answers `DELETE /tasks/{id}`. A task in its queue ends here and now; a running one is ended by its worker, which asks at
 * every heartbeat. In between the task may change hands, so what was read is only acted on if it still holds.
 */
export async function cancelTask(event: HttpEvent, props: CancelTaskDeps): Promise<HttpResponse> {
  const { clock, logger, metrics, retentionDays, tasks } = props;
  const now = Math.floor(clock.now());
  const end = { at: now, error: CANCELLED, expiresAt: Math.ceil(now / 1000) + retentionDays * DAY_SECONDS };
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const task = await ownTask(event, props);
    const { id, status } = task;
    if (status === 'cancelled') {
      return await answerCancelled(task, props);
    }
    if (FINAL_STATUSES.includes(status)) {
      throw new Refusal(HttpErrorCode.CONFLICT, `the task has ended already: it is ${status}`);
    }
    if (status === 'queued') {
      const cancelled = await orRefuse(UNREACHED, () => tasks.cancelQueued(id, end));
      if (cancelled !== undefined) {
        metrics
          .withDimensions({ [Dimension.LANE]: cancelled.lane }, INTAKE_DIMENSION_SETS)
          .count(IntakeMetric.CANCELLED);
        logger.info('task cancelled in its queue', { task: id, lane: cancelled.lane });
        return await answerCancelled(cancelled, props);
      }
    } else if (await orRefuse(UNREACHED, () => tasks.requestCancellation(id, now))) {
      logger.info('cancellation of the running task requested', { task: id, lane: task.lane });
      return answer(202, task);
    }
  }
  throw new Refusal(
    HttpErrorCode.UNAVAILABLE,
    'the task changed hands while it was being cancelled; send the request again',
  );
}

/** A webhook that was not told yet is sent on its way at every request: the one before may have ended in between. */
async function answerCancelled(task: TaskRecord, { webhooks }: CancelTaskDeps): Promise<HttpResponse> {
  if (webhooks !== undefined && owesWebhook(task)) {
    await orRefuse('the task is cancelled, but its webhook could not be enqueued', () => webhooks.announce(task));
  }
  return answer(200, task);
}

function answer(statusCode: 200 | 202, { id, status }: TaskRecord): HttpResponse {
  const body: CancelResponse = { id, status, links: linksOf(id) };
  return jsonResponse(statusCode, body, { 'cache-control': 'no-store' });
}
