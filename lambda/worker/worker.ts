import type { Logger } from '@aws-lambda-powertools/logger';
import { type Envelope, RETRY_BACKOFF_MS, type TaskRecord, WorkerMetric } from '../../lib/contract';
import { CancelledError } from '../runtime/errors';
import { NOTHING_USED } from '../runtime/usage';
import type { SqsRecord } from '../shared/aws/sqs-event';
import { fullJitterMs } from '../shared/backoff';
import { stopwatch } from '../shared/clock';
import { messageOf } from '../shared/errors';
import type { Claim } from '../shared/tasks/task-store';
import { traceRootOf } from '../shared/telemetry/trace';
import { Delivery, type Verdict } from './delivery';
import type { InFlight, Slot } from './in-flight';
import { parseMessage } from './message';
import { TaskMetrics } from './metrics';
import { TaskEnding } from './task-ending';
import { TaskPayloads } from './task-payloads';
import { TaskRequeuer } from './task-requeuer';
import { abandoned, afterAttempts, TaskRun } from './task-run';
import type { Work } from './work';
import type { WorkerParts } from './worker-parts';

type Limits = Pick<Work, 'remainingMs' | 'stop'>;

/**
 * Takes one message to its end: claim, run, write, tell, measure.
 *
 * Delivery is at least once and workers die at any time, so every step may happen twice or be the last. What holds it
 * together: the lease in the task's item lets one worker at a time work and one alone write the end; the message stays
 * in its queue until all is done that the end asks for (webhook, dead-letter queue), and whoever finds it in front of a
 * finished task does what may be missing; a copy is sent before the message it replaces is deleted.
 */
export class Worker<I, O> {
  readonly #parts: WorkerParts<I, O>;
  readonly #metrics: TaskMetrics;
  readonly #ending: TaskEnding;
  readonly #run: TaskRun<I, O>;

  constructor(parts: WorkerParts<I, O>) {
    this.#parts = parts;
    const { settings, store, deadLetters, webhooks, spending, times, clock, random } = parts;
    const metrics = new TaskMetrics(settings, clock, parts.metrics);
    const payloads = new TaskPayloads(parts.payloads);
    const ending = new TaskEnding({ store, payloads, deadLetters, webhooks, spending, metrics, times });
    const returning = new TaskRequeuer({ store, ending, spending, metrics, clock, random });
    this.#metrics = metrics;
    this.#ending = ending;
    this.#run = new TaskRun({ ...parts, stepPayloads: parts.payloads, payloads, metrics, ending, returning });
  }

  /**
   * @param remainingMs real milliseconds until Lambda ends the function, or the worker's timeout in a container
   * @param stop aborts, with a TaskRequeuedError, when the worker's container must stop. @default it never does
   */
  async process(message: SqsRecord, remainingMs: () => number, stop?: AbortSignal): Promise<Verdict> {
    const { settings, queues, times } = this.#parts;
    const parsed = parseMessage(message.body, settings.agent);
    if (!parsed.ok) {
      this.#parts.logger.error(`a message was left in its queue: ${parsed.reason}`, {
        messageId: message.messageId,
        outcome: 'refused',
      });
      return 'leave';
    }
    const logger = this.#loggerFor(parsed.envelope, traceRootOf(message.attributes.AWSTraceHeader));
    const delivery = new Delivery(parsed.envelope, logger, message, queues);
    try {
      return delivery.hasReachedMaxReceiveCount(settings.maxReceives)
        ? await this.#replace(delivery)
        : await this.#withSlot(delivery, { remainingMs, stop });
    } catch (error) {
      logger.error('the task was left as it is, its message comes back', {
        outcome: 'error',
        reason: messageOf(error),
      });
      // Not before a lease that may have been written has run out.
      return delivery.postpone(times.leaseMs + times.beyondLeaseMs);
    }
  }

  #loggerFor({ lane, taskId, mode }: Envelope, trace: string | undefined): Logger {
    return this.#parts.logger.createChild({
      persistentKeys: { lane, task: taskId, mode, trace },
      jsonReplacerFn: (_, value) => (typeof value === 'string' ? this.#parts.redact(value) : value),
    });
  }

  async #replace(delivery: Delivery): Promise<Verdict> {
    await delivery.resend();
    delivery.logger.info('the message was received so often that a fresh copy takes its place', {
      outcome: 'replaced',
      receives: delivery.receives,
    });
    return 'delete';
  }

  /** Works while the task has one of its user's slots, if these are limited. Without one the task waits unclaimed. */
  async #withSlot(delivery: Delivery, limits: Limits): Promise<Verdict> {
    const { inFlight, random } = this.#parts;
    const { envelope, logger, receives } = delivery;
    if (inFlight === undefined || envelope.mode === 'probe') {
      return this.#claim(delivery, limits, async () => {});
    }
    const slot = await inFlight.take(envelope.user, envelope.taskId);
    if (slot === undefined) {
      logger.info('as many tasks of the user run as may at once, the task waits', { outcome: 'wait', receives });
      return delivery.postpone(fullJitterMs(receives, random(), RETRY_BACKOFF_MS));
    }
    // A slot that was there before belongs to the worker that has the task: until this one claims it.
    let own = slot.fresh ? slot : undefined;
    try {
      return await this.#claim(delivery, limits, async () => {
        own ??= await this.#takeOver(inFlight, slot, logger);
      });
    } finally {
      if (own !== undefined) {
        await this.#leave(inFlight, own, logger);
      }
    }
  }

  async #takeOver(inFlight: InFlight, slot: Slot, logger: Logger): Promise<Slot> {
    try {
      return await inFlight.takeOver(slot);
    } catch (error) {
      logger.warn('the slot of the user was not renewed, it may end before the task does', {
        outcome: 'error',
        reason: messageOf(error),
      });
      return slot;
    }
  }

  async #leave(inFlight: InFlight, slot: Slot, logger: Logger): Promise<void> {
    try {
      await inFlight.leave(slot);
    } catch (error) {
      logger.warn('the slot of the user was not given back, it ends by itself', {
        outcome: 'error',
        reason: messageOf(error),
      });
    }
  }

  /** @param onClaimed called before the task is run */
  async #claim(delivery: Delivery, limits: Limits, onClaimed: () => Promise<void>): Promise<Verdict> {
    const { store } = this.#parts;
    const { envelope, traceHeader } = delivery;
    const elapsed = stopwatch();
    const claim = await store.claim(envelope.taskId, envelope.lane, traceHeader);
    if (claim.kind !== 'claimed') {
      return this.#unclaimed(delivery, claim);
    }
    const { lease, task } = claim;
    const tries = task.attempts - (task.uncounted ?? 0);
    if (task.claimedFrom === 'running') {
      this.#abandoned(delivery, task);
    }
    await onClaimed();
    return this.#work({ delivery, lease, task, tries, elapsed, ...limits });
  }

  /** The worker of the attempt before ended nothing and renewed nothing: it crashed, was killed, or hangs. */
  #abandoned({ logger }: Delivery, task: TaskRecord): void {
    logger.warn('the last attempt was abandoned: its lease ran out', {
      outcome: 'abandoned',
      attempt: task.attempts - 1,
    });
    this.#metrics.count(task, WorkerMetric.ABANDONED);
  }

  async #unclaimed(delivery: Delivery, claim: Exclude<Claim, { kind: 'claimed' }>): Promise<Verdict> {
    const { logger, receives } = delivery;
    const { times, clock } = this.#parts;
    switch (claim.kind) {
      case 'final':
        logger.info('the task is finished already', { status: claim.task.status, outcome: 'duplicate' });
        return this.#ending.tell(delivery, claim.task);
      case 'unknown':
        logger.warn('the task has no record: it was taken back at intake, or has expired', { outcome: 'unknown' });
        return 'delete';
      case 'held':
        logger.info('another worker holds the task, the message waits until that worker has finished or is gone', {
          outcome: 'held',
          receives,
        });
        return delivery.postpone(claim.leaseExpiresAt - clock.now() + times.beyondLeaseMs);
      case 'moved':
        return this.#follow(delivery, claim.task);
      case 'unreadable':
        return this.#endUnreadable(delivery, claim);
    }
  }

  /** Ends what is not to be run any more, runs the rest. */
  #work(work: Work): Promise<Verdict> {
    const { settings, clock } = this.#parts;
    const { task, tries, delivery } = work;
    delivery.logger.info('task claimed', { outcome: 'claimed', attempt: task.attempts, receives: delivery.receives });
    if (task.cancelRequestedAt !== undefined) {
      const { code, message } = new CancelledError();
      return this.#run.endUnrun(work, { status: 'cancelled', error: { code, message } });
    }
    if (task.deadlineAt !== undefined && task.deadlineAt <= clock.now()) {
      const deadline = new Date(task.deadlineAt).toISOString();
      const error = { code: 'timed_out', message: `the task did not end by its deadline, ${deadline}` };
      return this.#run.endUnrun(work, { status: 'timed_out', error });
    }
    // The last attempt that counts ends the task when it fails: a claim beyond it means that its worker never got so far.
    if (tries > settings.maxAttempts) {
      const error = {
        code: 'worker_lost',
        message: "the task's last worker went away without a word (out of memory, killed at its timeout, crashed)",
      };
      return this.#run.endUnrun(work, abandoned(error, afterAttempts(settings.maxAttempts)));
    }
    return task.mode === 'probe' ? this.#run.probe(work) : this.#run.run(work);
  }

  /** For a message of a task that goes on in another lane: that lane may not have a message of its own yet. */
  async #follow(delivery: Delivery, task: TaskRecord): Promise<Verdict> {
    if (task.status === 'queued') {
      await delivery.resend(task);
    }
    delivery.logger.info('the task goes on in another lane', { outcome: 'moved', to: task.lane });
    return 'delete';
  }

  async #endUnreadable(
    delivery: Delivery,
    { lease, reason }: Extract<Claim, { kind: 'unreadable' }>,
  ): Promise<Verdict> {
    const error = { code: 'invalid_record', message: `the task's record cannot be read: ${reason}` };
    if (lease === undefined) {
      delivery.logger.error(`a message was left in its queue: ${error.message}`, { outcome: 'refused' });
      return 'leave';
    }
    delivery.logger.error('task given up', { outcome: 'failed', code: error.code, reason: error.message });
    await this.#parts.store.finish(lease, { status: 'failed', usage: NOTHING_USED, ranMs: 0, error });
    return 'delete';
  }
}
