import { FINAL_STATUSES, type TaskRecord, WorkerMetric } from '../../lib/contract';
import { errorName } from '../shared/aws/aws-errors';
import type { Spending } from '../shared/budgets/spending';
import { messageOf } from '../shared/errors';
import type { TaskEnd, TaskStore, Written } from '../shared/tasks/task-store';
import { owesWebhook, type WebhookOutbox } from '../shared/tasks/webhook-outbox';
import type { DeadLetters } from './dead-letters';
import type { Delivery, Verdict } from './delivery';
import type { LeaseTimes } from './lease-times';
import type { TaskMetrics } from './metrics';
import type { TaskPayloads } from './task-payloads';
import type { Work } from './work';

/** A finished task whose caller or dead-letter queue could not be told is looked at again so much later. */
const TELL_AGAIN_MS = 30_000;

export interface TaskEndingParts {
  readonly store: TaskStore;
  readonly payloads: TaskPayloads;
  readonly deadLetters: DeadLetters;
  readonly webhooks: WebhookOutbox | undefined;
  readonly spending?: Spending | undefined;
  readonly metrics: TaskMetrics;
  readonly times: LeaseTimes;
}

/** An end without what the worker knows about it. */
export type End = Omit<TaskEnd, 'ranMs'>;

/** Ends tasks: written once, told at least once, measured by whoever wrote it. */
export class TaskEnding {
  readonly #parts: TaskEndingParts;

  constructor(parts: TaskEndingParts) {
    this.#parts = parts;
  }

  /** @param ran false for a task that is ended without having been run this time */
  async end(work: Work, end: End, ran = true): Promise<Verdict> {
    const { delivery, task } = work;
    const ranMs = ran ? Math.round(work.elapsed()) : 0;
    const written = await this.#write(work, { ...end, ranMs });
    if (written.kind !== 'written') {
      return this.lost(work, end.status, written.kind === 'lost' ? written.task : undefined);
    }
    delivery.logger[end.exhausted === true ? 'error' : 'info']('task finished', {
      outcome: end.status,
      ...(end.error === undefined ? {} : { code: end.error.code, reason: end.error.message }),
      ...(end.exhausted === true ? { exhausted: true } : {}),
      durationMs: ranMs,
      attempt: task.attempts,
      usage: end.usage,
    });
    await this.#parts.spending?.count(task, end.usage, delivery.logger);
    this.#parts.metrics.finished(task, end, ran ? ranMs : undefined);
    return this.tell(delivery, written.task ?? task);
  }

  /**
   * Does what is left to do for a finished task before its message may go: its caller hears of the end, and what failed
   * after its last attempt goes to the dead-letter queue, where it is alarmed and can be sent back from. Whoever comes
   * here cannot know whether an earlier worker got that far, so both may happen twice.
   */
  async tell(delivery: Delivery, task: TaskRecord): Promise<Verdict> {
    const { webhooks, deadLetters } = this.#parts;
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
  async lost({ delivery, task }: Work, what: string, found?: TaskRecord, reason?: string): Promise<Verdict> {
    delivery.logger.warn(
      'a late result was not written: the lease has passed to another worker or the task was ended',
      {
        outcome: 'late',
        result: what,
        ...(found === undefined ? {} : { status: found.status }),
        reason,
      },
    );
    const { metrics, times } = this.#parts;
    metrics.count(task, WorkerMetric.LATE);
    if (found === undefined) {
      return delivery.postpone(times.safetyMs + times.beyondLeaseMs);
    }
    return FINAL_STATUSES.includes(found.status) ? this.tell(delivery, found) : 'leave';
  }

  /** Writes the end. A result that DynamoDB does not take (too deep, numbers out of range) goes to the bucket. */
  async #write({ lease, task }: Work, end: TaskEnd): Promise<Written> {
    const { store, payloads } = this.#parts;
    try {
      return await store.finish(lease, end);
    } catch (error) {
      if (errorName(error) !== 'ValidationException' || end.result === undefined) {
        throw error;
      }
      const { result, ...rest } = end;
      return store.finish(lease, { ...rest, resultRef: await payloads.keep(task, result) });
    }
  }
}
