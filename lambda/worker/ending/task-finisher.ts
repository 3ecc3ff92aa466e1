import { FINAL_STATUSES, type TaskRecord, WorkerMetric } from '../../../lib/contract';
import { errorName } from '../../shared/aws/aws-errors';
import type { Spending } from '../../shared/budgets/spending';
import { messageOf } from '../../shared/errors';
import type { TaskEnd, TaskStore, Written } from '../../shared/tasks/task-store';
import { owesWebhook, type WebhookOutbox } from '../../shared/tasks/webhook-outbox';
import type { ClaimedTask } from '../claimed-task';
import type { LeaseTimes } from '../lease/lease-times';
import type { DeadLetterSender } from '../message/dead-letter-sender';
import type { MessageDisposition, ReceivedMessage } from '../message/received-message';
import type { TaskMetrics } from '../task-metrics';
import type { TaskPayloads } from '../task-payloads';

/** A finished task whose caller or dead-letter queue could not be told is looked at again so much later. */
const TELL_AGAIN_MS = 30_000;

export interface TaskFinisherDeps {
  readonly store: TaskStore;
  readonly payloads: TaskPayloads;
  readonly deadLetters: DeadLetterSender;
  readonly webhooks: WebhookOutbox | undefined;
  readonly spending?: Spending | undefined;
  readonly metrics: TaskMetrics;
  readonly times: LeaseTimes;
}

/** An end without what the worker knows about it. */
export type FinalState = Omit<TaskEnd, 'ranMs'>;

/** Ends tasks: written once, told at least once, measured by whoever wrote it. */
export class TaskFinisher {
  readonly #deps: TaskFinisherDeps;

  constructor(deps: TaskFinisherDeps) {
    this.#deps = deps;
  }

  /** @param ran false for a task that is ended without having been run this time */
  async finish(work: ClaimedTask, end: FinalState, ran = true): Promise<MessageDisposition> {
    const { message: delivery, task } = work;
    const ranMs = ran ? Math.round(work.elapsed()) : 0;
    const written = await this.#write(work, { ...end, ranMs });
    if (written.kind !== 'written') {
      return this.discardLateResult(work, end.status, written.kind === 'lost' ? written.task : undefined);
    }
    delivery.logger[end.exhausted === true ? 'error' : 'info']('task finished', {
      outcome: end.status,
      ...(end.error === undefined ? {} : { code: end.error.code, reason: end.error.message }),
      ...(end.exhausted === true ? { exhausted: true } : {}),
      durationMs: ranMs,
      attempt: task.attempts,
      usage: end.usage,
    });
    await this.#deps.spending?.count(task, end.usage, delivery.logger);
    this.#deps.metrics.finished(task, end, ran ? ranMs : undefined);
    return this.sendNotifications(delivery, written.task ?? task);
  }

  /**
   * Does what is left to do for a finished task before its message may go: its caller hears of the end, and what failed
   * after its last attempt goes to the dead-letter queue, where it is alarmed and can be sent back from. Whoever comes
   * here cannot know whether an earlier worker got that far, so both may happen twice.
   */
  async sendNotifications(delivery: ReceivedMessage, task: TaskRecord): Promise<MessageDisposition> {
    const { webhooks, deadLetters } = this.#deps;
    try {
      if (webhooks !== undefined && owesWebhook(task)) {
        await webhooks.announce(task);
      }
      if (task.exhausted === true) {
        await deadLetters.send(delivery.envelope, task, delivery.traceHeader);
      }
      return 'delete';
    } catch (error) {
      delivery.logger.error('the task is finished, but not all were told: its message comes back', {
        outcome: 'error',
        reason: messageOf(error),
      });
      return delivery.postpone(TELL_AGAIN_MS);
    }
  }

  /**
   * Gives up what was done without a lease.
   *
   * @param reason why the attempt ended, as far as it knows
   * @param found the record, if the store refused the write; absent: the worker's own clock says that its lease is lost
   */
  async discardLateResult(
    { message: delivery, task }: ClaimedTask,
    what: string,
    found?: TaskRecord,
    reason?: string,
  ): Promise<MessageDisposition> {
    delivery.logger.warn(
      'a late result was not written: the lease has passed to another worker or the task was ended',
      {
        outcome: 'late',
        result: what,
        ...(found === undefined ? {} : { status: found.status }),
        reason,
      },
    );
    const { metrics, times } = this.#deps;
    metrics.count(task, WorkerMetric.LATE);
    if (found === undefined) {
      return delivery.postpone(times.safetyMs + times.visibilityBeyondLeaseMs);
    }
    return FINAL_STATUSES.includes(found.status) ? this.sendNotifications(delivery, found) : 'leave';
  }

  /** Writes the end. A result that DynamoDB does not take (too deep, numbers out of range) goes to the bucket. */
  async #write({ lease, task }: ClaimedTask, end: TaskEnd): Promise<Written> {
    const { store, payloads } = this.#deps;
    try {
      return await store.finish(lease, end);
    } catch (error) {
      if (errorName(error) !== 'ValidationException' || end.result === undefined) {
        throw error;
      }
      const { result, ...rest } = end;
      return store.finish(lease, { ...rest, resultRef: await payloads.putResult(task, result) });
    }
  }
}
