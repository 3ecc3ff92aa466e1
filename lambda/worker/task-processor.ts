import type { Logger } from '@aws-lambda-powertools/logger';
import { type Envelope, RETRY_BACKOFF_MS, TaskErrorCode, type TaskRecord, WorkerMetric } from '../../lib/contract';
import { CancelledError } from '../runtime/errors';
import { NO_USAGE } from '../runtime/limits/usage';
import type { SqsRecord } from '../shared/aws/sqs-event';
import { fullJitterMs } from '../shared/backoff';
import { stopwatch } from '../shared/clock';
import { messageOf } from '../shared/errors';
import type { Claim } from '../shared/tasks/task-store';
import { traceRootOf } from '../shared/telemetry/trace-header';
import { afterAttempts, exhaustedFailure, TaskRunner } from './attempt/task-runner';
import type { ClaimedTask } from './claimed-task';
import { TaskFinisher } from './ending/task-finisher';
import { TaskRequeuer } from './ending/task-requeuer';
import type { UserConcurrencyLimiter, UserSlot } from './lease/user-concurrency-limiter';
import { parseMessage } from './message/parse-message';
import { type MessageDisposition, ReceivedMessage } from './message/received-message';
import { TaskMetrics } from './task-metrics';
import { TaskPayloads } from './task-payloads';
import type { TaskProcessorDeps } from './task-processor-deps';

type Limits = Pick<ClaimedTask, 'remainingMs' | 'stopSignal'>;

/**
 * Takes one message to its end: claim, run, write, tell, measure.
 *
 * Delivery is at least once and workers die at any time, so every step may happen twice or be the last. What holds it
 * together: the lease in the task's item lets one worker at a time work and one alone write the end; the message stays
 * in its queue until all is done that the end asks for (webhook, dead-letter queue), and whoever finds it in front of a
 * finished task does what may be missing; a copy is sent before the message it replaces is deleted.
 */
export class TaskProcessor<I, O> {
  readonly #deps: TaskProcessorDeps<I, O>;
  readonly #metrics: TaskMetrics;
  readonly #ending: TaskFinisher;
  readonly #run: TaskRunner<I, O>;

  constructor(deps: TaskProcessorDeps<I, O>) {
    this.#deps = deps;
    const { settings, store, deadLetters, webhooks, spending, times, clock, random } = deps;
    const metrics = new TaskMetrics(settings, clock, deps.metrics);
    const payloads = new TaskPayloads(deps.payloads);
    const ending = new TaskFinisher({ store, payloads, deadLetters, webhooks, spending, metrics, times });
    const returning = new TaskRequeuer({ store, finisher: ending, spending, metrics, clock, random });
    this.#metrics = metrics;
    this.#ending = ending;
    this.#run = new TaskRunner({
      ...deps,
      stepPayloads: deps.payloads,
      payloads,
      metrics,
      finisher: ending,
      requeuer: returning,
    });
  }

  /**
   * @param remainingMs real milliseconds until Lambda ends the function, or the worker's timeout in a container
   * @param stop aborts, with a TaskRequeuedError, when the worker's container must stop. @default it never does
   */
  async process(message: SqsRecord, remainingMs: () => number, stop?: AbortSignal): Promise<MessageDisposition> {
    const { settings, queues, times } = this.#deps;
    const parsed = parseMessage(message.body, settings.agent);
    if (!parsed.ok) {
      this.#deps.logger.error(`a message was left in its queue: ${parsed.reason}`, {
        messageId: message.messageId,
        outcome: 'refused',
      });
      return 'leave';
    }
    const logger = this.#loggerFor(parsed.envelope, traceRootOf(message.attributes.AWSTraceHeader));
    const delivery = new ReceivedMessage(parsed.envelope, logger, message, queues);
    try {
      return delivery.isNearMaxReceiveCount(settings.maxReceives)
        ? await this.#replace(delivery)
        : await this.#withSlot(delivery, { remainingMs, stopSignal: stop });
    } catch (error) {
      logger.error('the task was left as it is, its message comes back', {
        outcome: 'error',
        reason: messageOf(error),
      });
      // Not before a lease that may have been written has run out.
      return delivery.postpone(times.leaseMs + times.visibilityBeyondLeaseMs);
    }
  }

  #loggerFor({ lane, taskId, mode }: Envelope, trace: string | undefined): Logger {
    return this.#deps.logger.createChild({
      persistentKeys: { lane, task: taskId, mode, trace },
      jsonReplacerFn: (_, value) => (typeof value === 'string' ? this.#deps.redact(value) : value),
    });
  }

  async #replace(delivery: ReceivedMessage): Promise<MessageDisposition> {
    await delivery.resend();
    delivery.logger.info('the message was received so often that a fresh copy takes its place', {
      outcome: 'replaced',
      receives: delivery.receiveCount,
    });
    return 'delete';
  }

  /** Works while the task has one of its user's slots, if these are limited. Without one the task waits unclaimed. */
  async #withSlot(delivery: ReceivedMessage, limits: Limits): Promise<MessageDisposition> {
    const { userConcurrency: inFlight, random } = this.#deps;
    const { envelope, logger, receiveCount: receives } = delivery;
    if (inFlight === undefined || envelope.mode === 'probe') {
      return this.#claim(delivery, limits, async () => {});
    }
    const slot = await inFlight.acquire(envelope.user, envelope.taskId);
    if (slot === undefined) {
      logger.info('as many tasks of the user run as may at once, the task waits', { outcome: 'wait', receives });
      return delivery.postpone(fullJitterMs(receives, random(), RETRY_BACKOFF_MS));
    }
    // A slot that was there before belongs to the worker that has the task: until this one claims it.
    let own = slot.isNew ? slot : undefined;
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

  async #takeOver(inFlight: UserConcurrencyLimiter, slot: UserSlot, logger: Logger): Promise<UserSlot> {
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

  async #leave(inFlight: UserConcurrencyLimiter, slot: UserSlot, logger: Logger): Promise<void> {
    try {
      await inFlight.release(slot);
    } catch (error) {
      logger.warn('the slot of the user was not given back, it ends by itself', {
        outcome: 'error',
        reason: messageOf(error),
      });
    }
  }

  /** @param onClaimed called before the task is run */
  async #claim(delivery: ReceivedMessage, limits: Limits, onClaimed: () => Promise<void>): Promise<MessageDisposition> {
    const { store } = this.#deps;
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
    return this.#work({ message: delivery, lease, task, countedAttempts: tries, elapsed, ...limits });
  }

  /** The worker of the attempt before ended nothing and renewed nothing: it crashed, was killed, or hangs. */
  #abandoned({ logger }: ReceivedMessage, task: TaskRecord): void {
    logger.warn('the last attempt was abandoned: its lease ran out', {
      outcome: 'abandoned',
      attempt: task.attempts - 1,
    });
    this.#metrics.count(task, WorkerMetric.ABANDONED);
  }

  async #unclaimed(delivery: ReceivedMessage, claim: Exclude<Claim, { kind: 'claimed' }>): Promise<MessageDisposition> {
    const { logger, receiveCount: receives } = delivery;
    const { times, clock } = this.#deps;
    switch (claim.kind) {
      case 'final':
        logger.info('the task is finished already', { status: claim.task.status, outcome: 'duplicate' });
        return this.#ending.sendNotifications(delivery, claim.task);
      case 'unknown':
        logger.warn('the task has no record: it was taken back at intake, or has expired', { outcome: 'unknown' });
        return 'delete';
      case 'held':
        logger.info('another worker holds the task, the message waits until that worker has finished or is gone', {
          outcome: 'held',
          receives,
        });
        return delivery.postpone(claim.leaseExpiresAt - clock.now() + times.visibilityBeyondLeaseMs);
      case 'moved':
        return this.#follow(delivery, claim.task);
      case 'unreadable':
        return this.#endUnreadable(delivery, claim);
    }
  }

  /** Ends what is not to be run any more, runs the rest. */
  #work(work: ClaimedTask): Promise<MessageDisposition> {
    const { settings, clock } = this.#deps;
    const { task, countedAttempts: tries, message: delivery } = work;
    delivery.logger.info('task claimed', {
      outcome: 'claimed',
      attempt: task.attempts,
      receives: delivery.receiveCount,
    });
    if (task.cancelRequestedAt !== undefined) {
      const { code, message } = new CancelledError();
      return this.#run.finishWithoutRun(work, { status: 'cancelled', error: { code, message } });
    }
    if (task.deadlineAt !== undefined && task.deadlineAt <= clock.now()) {
      const deadline = new Date(task.deadlineAt).toISOString();
      const error = { code: TaskErrorCode.TIMED_OUT, message: `the task did not end by its deadline, ${deadline}` };
      return this.#run.finishWithoutRun(work, { status: 'timed_out', error });
    }
    // The last attempt that counts ends the task when it fails: a claim beyond it means that its worker never got so far.
    if (tries > settings.maxAttempts) {
      const error = {
        code: TaskErrorCode.WORKER_LOST,
        message: "the task's last worker went away without a word (out of memory, killed at its timeout, crashed)",
      };
      return this.#run.finishWithoutRun(work, exhaustedFailure(error, afterAttempts(settings.maxAttempts)));
    }
    return task.mode === 'probe' ? this.#run.runProbe(work) : this.#run.run(work);
  }

  /** For a message of a task that goes on in another lane: that lane may not have a message of its own yet. */
  async #follow(delivery: ReceivedMessage, task: TaskRecord): Promise<MessageDisposition> {
    if (task.status === 'queued') {
      await delivery.resend(task);
    }
    delivery.logger.info('the task goes on in another lane', { outcome: 'moved', to: task.lane });
    return 'delete';
  }

  async #endUnreadable(
    delivery: ReceivedMessage,
    { lease, reason }: Extract<Claim, { kind: 'unreadable' }>,
  ): Promise<MessageDisposition> {
    const error = { code: TaskErrorCode.INVALID_RECORD, message: `the task's record cannot be read: ${reason}` };
    if (lease === undefined) {
      delivery.logger.error(`a message was left in its queue: ${error.message}`, { outcome: 'refused' });
      return 'leave';
    }
    delivery.logger.error('task given up', { outcome: 'failed', code: error.code, reason: error.message });
    await this.#deps.store.finish(lease, { status: 'failed', usage: NO_USAGE, ranMs: 0, error });
    return 'delete';
  }
}
