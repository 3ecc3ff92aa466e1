import { ModelMetric, RETRY_BACKOFF_MS, RuntimeErrorCode, type TaskRecord, WorkerMetric } from '../../../lib/contract';
import { CancelledError } from '../../runtime/errors';
import { fullJitterMs } from '../../shared/backoff';
import type { Spending } from '../../shared/budgets/spending';
import type { Clock } from '../../shared/clock';
import { messageOf } from '../../shared/errors';
import type { TaskLeases, TaskRequeue } from '../../shared/tasks/task-leases';
import type { AttemptOutcome } from '../attempt/run-attempt';
import type { ClaimedTask } from '../claimed-task';
import type { MessageDisposition } from '../message/worker-message';
import type { TaskMetrics } from '../task-metrics';
import type { TaskFinisher } from './task-finisher';

/** A task past its deadline is delivered once more, to be finished: milliseconds after the deadline. */
const AFTER_DEADLINE_MS = 1_000;

/** The backoff of a task that waits for one of the service's own limits stops growing at this wait: freed capacity is used soon. */
const MAX_OWN_LIMIT_BACKOFF = 3;

/**
 * Whether the code stands for one of the service's own limits and not for a refusal by a provider. Waiting for an own limit
 * never fails a task, however often it waits.
 */
export function isOwnLimit(code: string): boolean {
  return code === RuntimeErrorCode.RATE_LIMITED || code === RuntimeErrorCode.BUDGET_EXCEEDED;
}

export interface TaskRequeuerDeps {
  readonly store: TaskLeases;
  readonly finisher: TaskFinisher;
  readonly spending?: Spending | undefined;
  readonly metrics: TaskMetrics;
  readonly clock: Clock;
  /** From 0 up to 1. */
  readonly random: () => number;
}

type Failure = Exclude<AttemptOutcome, { kind: 'succeeded' }>;

/**
 * Returns unfinished tasks to their queue. It writes the record before it changes the message: a worker that receives the
 * message early can then claim the task, and one that receives it late loses only time.
 */
export class TaskRequeuer {
  readonly #deps: TaskRequeuerDeps;

  constructor(deps: TaskRequeuerDeps) {
    this.#deps = deps;
  }

  /** Retries the task after a backoff. The attempt counts. */
  async retry(claimed: ClaimedTask, { error, retryAfterMs, ...totals }: Failure): Promise<MessageDisposition> {
    const disposition = await this.#requeue(claimed, totals);
    if (disposition !== undefined) {
      return disposition;
    }
    claimed.message.logger.warn('the attempt failed; the task returns to its queue', {
      outcome: 'retry',
      code: error.code,
      reason: error.message,
      attempt: claimed.task.attempts,
      receives: claimed.message.receiveCount,
      durationMs: Math.round(claimed.elapsed()),
    });
    this.#deps.metrics.count(claimed.task, WorkerMetric.RETRIED);
    return this.#postpone(
      claimed,
      fullJitterMs(claimed.countedAttempts, this.#deps.random(), RETRY_BACKOFF_MS, retryAfterMs),
    );
  }

  /** Retries the task after a backoff because of a limit or an unavailable service. The attempt does not count. */
  async wait(claimed: ClaimedTask, { error, retryAfterMs, ...totals }: Failure): Promise<MessageDisposition> {
    const isOwn = isOwnLimit(error.code);
    const waits = (isOwn ? (claimed.task.uncounted ?? 0) : (claimed.task.waits ?? 0)) + 1;
    const disposition = await this.#requeue(claimed, totals, { uncounted: true, waited: !isOwn });
    if (disposition !== undefined) {
      return disposition;
    }
    claimed.message.logger.info('a limit or an unavailable service blocks the task; the task waits in its queue', {
      outcome: 'wait',
      code: error.code,
      reason: error.message,
      waits,
      durationMs: Math.round(claimed.elapsed()),
    });
    this.#countWait(claimed.task, error.code);
    return this.#postpone(
      claimed,
      fullJitterMs(
        isOwn ? Math.min(waits, MAX_OWN_LIMIT_BACKOFF) : waits,
        this.#deps.random(),
        RETRY_BACKOFF_MS,
        retryAfterMs,
      ),
    );
  }

  #countWait(task: TaskRecord, code: string): void {
    const { metrics, spending } = this.#deps;
    if (code === RuntimeErrorCode.RATE_LIMITED) {
      metrics.count(task, ModelMetric.RATE_LIMIT_WAIT);
    } else if (code === RuntimeErrorCode.BUDGET_EXCEEDED) {
      spending?.refused();
    }
  }

  /** Another worker continues the task at once, with a new message: so the requeue uses up no receive. */
  async requeue(claimed: ClaimedTask, { error, requeue, ...totals }: Failure): Promise<MessageDisposition> {
    const { message, task } = claimed;
    const lane = requeue === 'revoked' ? 'stable' : task.lane;
    const disposition = await this.#requeue(claimed, totals, { uncounted: true, lane });
    if (disposition !== undefined) {
      return disposition;
    }
    message.logger.info('the task was requeued for another worker', {
      outcome: 'requeued',
      code: requeue,
      reason: error.message,
      to: lane,
      durationMs: Math.round(claimed.elapsed()),
    });
    this.#deps.metrics.count(task, WorkerMetric.REQUEUED);
    try {
      await message.resend({ ...task, lane });
      return 'delete';
    } catch (failure) {
      message.logger.warn('the message for the next worker was not sent; SQS will deliver this one again', {
        outcome: 'error',
        reason: messageOf(failure),
      });
      return message.postpone(0);
    }
  }

  /** @returns the message's disposition if the task could not be requeued; undefined if it was */
  async #requeue(
    claimed: ClaimedTask,
    { usage, models }: Pick<Failure, 'usage' | 'models'>,
    how: Pick<TaskRequeue, 'uncounted' | 'waited' | 'lane'> = {},
  ): Promise<MessageDisposition | undefined> {
    const { store, finisher, spending } = this.#deps;
    const written = await store.requeue(claimed.lease, {
      usage,
      models: models.answered,
      ranMs: Math.round(claimed.elapsed()),
      ...how,
    });
    switch (written.kind) {
      case 'written':
        await spending?.count(claimed.task, usage, claimed.message.logger);
        return undefined;
      case 'cancelled': {
        const { code, message } = new CancelledError();
        return finisher.finish(claimed, {
          status: 'cancelled',
          error: { code, message },
          usage,
          models: models.answered,
        });
      }
      case 'lost':
        return finisher.discardLateResult(claimed, 'requeued', written.task);
    }
  }

  /** Postpones the message, at most until shortly after the task's deadline. */
  #postpone({ message, task }: ClaimedTask, milliseconds: number): Promise<MessageDisposition> {
    return message.postpone(Math.min(milliseconds, this.#untilDeadline(task)));
  }

  #untilDeadline({ deadlineAt }: TaskRecord): number {
    return deadlineAt === undefined
      ? Number.POSITIVE_INFINITY
      : Math.max(0, deadlineAt - this.#deps.clock.now()) + AFTER_DEADLINE_MS;
  }
}
