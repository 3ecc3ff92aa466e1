import { ModelMetric, RETRY_BACKOFF_MS, RuntimeErrorCode, type TaskRecord, WorkerMetric } from '../../../lib/contract';
import { CancelledError } from '../../runtime/errors';
import { fullJitterMs } from '../../shared/backoff';
import type { Spending } from '../../shared/budgets/spending';
import type { Clock } from '../../shared/clock';
import { messageOf } from '../../shared/errors';
import type { Return, TaskStore } from '../../shared/tasks/task-store';
import type { AttemptOutcome } from '../attempt/run-attempt';
import type { ClaimedTask } from '../claimed-task';
import type { MessageDisposition } from '../message/received-message';
import type { TaskMetrics } from '../task-metrics';
import type { TaskFinisher } from './task-finisher';

/** A task goes on past its deadline only to be ended, so soon after. */
const AFTER_DEADLINE_MS = 1_000;

/** A task that waits for a limit of ours looks again so much sooner: what is free is to be used. Backoff of the nth wait. */
const SHORT_WAITS = 3;

/**
 * Whether the task waits in line for what the agent allows itself, and not for what somebody refuses it: however often it
 * has to, that never fails it.
 */
export function isOwnLimit(code: string): boolean {
  return code === RuntimeErrorCode.RATE_LIMITED || code === RuntimeErrorCode.BUDGET_EXCEEDED;
}

export interface TaskRequeuerDeps {
  readonly store: TaskStore;
  readonly finisher: TaskFinisher;
  readonly spending?: Spending | undefined;
  readonly metrics: TaskMetrics;
  readonly clock: Clock;
  /** From 0 up to 1. */
  readonly random: () => number;
}

type Failure = Exclude<AttemptOutcome, { kind: 'succeeded' }>;

/**
 * Gives tasks back to their queue, unfinished. The record first, then the message: whoever gets the message too early
 * may claim the task, and who gets it too late loses no more than time.
 */
export class TaskRequeuer {
  readonly #deps: TaskRequeuerDeps;

  constructor(deps: TaskRequeuerDeps) {
    this.#deps = deps;
  }

  /** To be tried again, some time later. */
  async retry(work: ClaimedTask, { error, retryAfterMs, ...spent }: Failure): Promise<MessageDisposition> {
    const refused = await this.#requeue(work, spent);
    if (refused !== undefined) {
      return refused;
    }
    work.message.logger.warn('the attempt failed, the task goes back to its queue', {
      outcome: 'retry',
      code: error.code,
      reason: error.message,
      attempt: work.task.attempts,
      receives: work.message.receiveCount,
      durationMs: Math.round(work.elapsed()),
    });
    this.#deps.metrics.count(work.task, WorkerMetric.RETRIED);
    return this.#postpone(
      work,
      fullJitterMs(work.countedAttempts, this.#deps.random(), RETRY_BACKOFF_MS, retryAfterMs),
    );
  }

  /** A provider's limit, or a service that is away, stands in the way: as a retry, but the attempt does not count. */
  async wait(work: ClaimedTask, { error, retryAfterMs, ...spent }: Failure): Promise<MessageDisposition> {
    const queues = isOwnLimit(error.code);
    const waits = (queues ? (work.task.uncounted ?? 0) : (work.task.waits ?? 0)) + 1;
    const refused = await this.#requeue(work, spent, { uncounted: true, waited: !queues });
    if (refused !== undefined) {
      return refused;
    }
    work.message.logger.info('what the task needs is limited or away, the task waits in its queue', {
      outcome: 'wait',
      code: error.code,
      reason: error.message,
      waits,
      durationMs: Math.round(work.elapsed()),
    });
    this.#countWait(work.task, error.code);
    return this.#postpone(
      work,
      fullJitterMs(queues ? Math.min(waits, SHORT_WAITS) : waits, this.#deps.random(), RETRY_BACKOFF_MS, retryAfterMs),
    );
  }

  #countWait(task: TaskRecord, code: string): void {
    const { metrics, spending } = this.#deps;
    if (code === RuntimeErrorCode.RATE_LIMITED) {
      metrics.count(task, ModelMetric.RATE_WAIT);
    } else if (code === RuntimeErrorCode.BUDGET_EXCEEDED) {
      spending?.refused();
    }
  }

  /** Another worker goes on at once: with a message of its own, so that the hand-over costs no receive. */
  async requeue(work: ClaimedTask, { error, requeue, ...spent }: Failure): Promise<MessageDisposition> {
    const { message: delivery, task } = work;
    const lane = requeue === 'revoked' ? 'stable' : task.lane;
    const refused = await this.#requeue(work, spent, { uncounted: true, lane });
    if (refused !== undefined) {
      return refused;
    }
    delivery.logger.info('the task was handed back, another worker goes on', {
      outcome: 'requeued',
      code: requeue,
      reason: error.message,
      to: lane,
      durationMs: Math.round(work.elapsed()),
    });
    this.#deps.metrics.count(task, WorkerMetric.REQUEUED);
    try {
      await delivery.resend({ ...task, lane });
      return 'delete';
    } catch (failure) {
      delivery.logger.warn('the message for the next worker was not sent, this one comes back instead', {
        outcome: 'error',
        reason: messageOf(failure),
      });
      return delivery.postpone(0);
    }
  }

  /** @returns what becomes of the message if the task cannot be given back; undefined if it was */
  async #requeue(
    work: ClaimedTask,
    { usage, models }: Pick<Failure, 'usage' | 'models'>,
    how: Pick<Return, 'uncounted' | 'waited' | 'lane'> = {},
  ): Promise<MessageDisposition | undefined> {
    const { store, finisher: ending, spending } = this.#deps;
    const written = await store.requeue(work.lease, {
      usage,
      models: models.answered,
      ranMs: Math.round(work.elapsed()),
      ...how,
    });
    switch (written.kind) {
      case 'written':
        await spending?.count(work.task, usage, work.message.logger);
        return undefined;
      case 'cancelled': {
        const { code, message } = new CancelledError();
        return ending.finish(work, { status: 'cancelled', error: { code, message }, usage, models: models.answered });
      }
      case 'lost':
        return ending.discardLateResult(work, 'given back', written.task);
    }
  }

  /** Makes the message come back after so long; for a task with a deadline not long after that. */
  #postpone({ message: delivery, task }: ClaimedTask, milliseconds: number): Promise<MessageDisposition> {
    return delivery.postpone(Math.min(milliseconds, this.#untilDeadline(task)));
  }

  #untilDeadline({ deadlineAt }: TaskRecord): number {
    return deadlineAt === undefined
      ? Number.POSITIVE_INFINITY
      : Math.max(0, deadlineAt - this.#deps.clock.now()) + AFTER_DEADLINE_MS;
  }
}
