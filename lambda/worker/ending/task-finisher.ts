import { FINAL_STATUSES, type TaskRecord, WorkerMetric } from '../../../lib/contract';
import { errorName } from '../../shared/aws/aws-errors';
import type { Spending } from '../../shared/budgets/spending';
import { messageOf } from '../../shared/errors';
import { type LeasedWrite, recordableEnd, type TaskEnd, type TaskLeases } from '../../shared/tasks/task-leases';
import { owesWebhook, type WebhookOutbox } from '../../shared/tasks/webhook-outbox';
import type { ClaimedTask } from '../claimed-task';
import type { LeaseTimes } from '../lease/lease-times';
import type { DeadLetterSender } from '../message/dead-letter-sender';
import type { MessageDisposition, WorkerMessage } from '../message/worker-message';
import type { TaskMetrics } from '../task-metrics';
import type { TaskPayloads } from '../task-payloads';

/** Delay before the notifications of a finished task are sent again after a failure, in milliseconds. */
const NOTIFICATION_RETRY_MS = 30_000;

export interface TaskFinisherDeps {
  readonly store: TaskLeases;
  readonly payloads: TaskPayloads;
  readonly deadLetters: DeadLetterSender;
  readonly webhooks: WebhookOutbox | undefined;
  readonly spending?: Spending | undefined;
  readonly metrics: TaskMetrics;
  readonly times: LeaseTimes;
}

/** The final state of a task, without the time that the worker measured. */
export type FinalState = Omit<TaskEnd, 'ranMs'>;

/** Finishes tasks: writes the final state once, sends notifications at least once, and emits metrics after its own write. */
export class TaskFinisher {
  readonly #deps: TaskFinisherDeps;

  constructor(deps: TaskFinisherDeps) {
    this.#deps = deps;
  }

  /** @param ran false for a task that is finished without an attempt */
  async finish(claimed: ClaimedTask, given: FinalState, ran = true): Promise<MessageDisposition> {
    const { message, task } = claimed;
    const state: FinalState = recordableEnd(given);
    const ranMs = ran ? Math.round(claimed.elapsed()) : 0;
    const written = await this.#write(claimed, { ...state, ranMs });
    if (written.kind !== 'written') {
      return this.discardLateResult(claimed, state.status, written.kind === 'lost' ? written.task : undefined);
    }
    message.logger[state.exhausted === true ? 'error' : 'info']('task finished', {
      outcome: state.status,
      ...(state.error === undefined ? {} : { code: state.error.code, reason: state.error.message }),
      ...(state.exhausted === true ? { exhausted: true } : {}),
      durationMs: ranMs,
      attempt: task.attempts,
      usage: state.usage,
    });
    await this.#deps.spending?.count(task, state.usage, message.logger);
    this.#deps.metrics.finished(task, state, ran ? ranMs : undefined);
    return this.sendNotifications(message, written.task ?? task);
  }

  /**
   * Sends the webhook of a finished task, and its dead-letter message if it failed after its last attempt: an alarm watches
   * that queue, and `redrive` reads it. An earlier worker may have sent both before it was lost, so both may be sent twice.
   */
  async sendNotifications(message: WorkerMessage, task: TaskRecord): Promise<MessageDisposition> {
    const { webhooks, deadLetters } = this.#deps;
    try {
      if (webhooks !== undefined && owesWebhook(task)) {
        await webhooks.announce(task);
      }
      if (task.exhausted === true) {
        const { error, release, attempts } = task;
        const facts = { reason: error?.code ?? 'unknown', release, attempts };
        await deadLetters.send(message.envelope, facts, message.traceHeader);
      }
      return 'delete';
    } catch (error) {
      message.logger.error(
        'the task is finished, but its webhook or dead-letter message was not sent; SQS will deliver the message again',
        {
          outcome: 'error',
          reason: messageOf(error),
        },
      );
      return message.postpone(NOTIFICATION_RETRY_MS);
    }
  }

  /**
   * Discards the result of an attempt that no longer holds the lease.
   *
   * @param what the outcome that is discarded, for the log
   * @param found the task's record, if the store rejected the write; absent if the lease expired by the worker's own clock
   * @param reason why the attempt ended, if known
   */
  async discardLateResult(
    { message, task }: ClaimedTask,
    what: string,
    found?: TaskRecord,
    reason?: string,
  ): Promise<MessageDisposition> {
    message.logger.warn('late result discarded: another worker holds the lease, or the task was already ended', {
      outcome: 'late',
      result: what,
      ...(found === undefined ? {} : { status: found.status }),
      reason,
    });
    const { metrics, times } = this.#deps;
    metrics.count(task, WorkerMetric.LATE);
    if (found === undefined) {
      return message.postpone(times.safetyMs + times.visibilityBeyondLeaseMs);
    }
    return FINAL_STATUSES.includes(found.status) ? this.sendNotifications(message, found) : 'leave';
  }

  /** Writes the final state. A result that DynamoDB rejects (nested too deeply, numbers out of range) goes to the bucket. */
  async #write({ lease, task }: ClaimedTask, state: TaskEnd): Promise<LeasedWrite> {
    const { store, payloads } = this.#deps;
    try {
      return await store.finish(lease, state);
    } catch (error) {
      if (errorName(error) !== 'ValidationException' || state.result === undefined) {
        throw error;
      }
      const { result, ...rest } = state;
      return store.finish(lease, { ...rest, resultRef: await payloads.putResult(task, result) });
    }
  }
}
