/**
 * How a worker processes a message, and in which file:
 *
 *  1. The entry point passes a message to `TaskProcessor.process`: index.ts for Lambda, functions/container/lane-poller.ts
 *     for a container.
 *  2. TaskProcessor parses the envelope (message/parse-message.ts), takes a slot of the user if users are limited
 *     (lease/user-concurrency-limiter.ts) and claims the task: shared/tasks/task-store.ts writes the lease.
 *  3. TaskRunner (attempt/task-runner.ts) starts the heartbeat, which renews the lease (lease/heartbeat.ts), opens the task's
 *     journal (runtime/journal/task-journal.ts) and starts the attempt.
 *  4. runAttempt (attempt/run-attempt.ts) builds the context that the agent sees (runtime/context.ts), starts the timers for
 *     the limits and calls `agent.run`. Context calls go through the journal, the limits and the models of the runtime.
 *  5. runAttempt turns what the agent returned or threw into an AttemptOutcome. It never throws.
 *  6. TaskRunner stops the heartbeat and applies the outcome: TaskFinisher (ending/task-finisher.ts) writes a final state and
 *     sends the webhook or dead-letter message; TaskRequeuer (ending/task-requeuer.ts) returns the task to its queue.
 *  7. The MessageDisposition travels back to the entry point, which deletes the message or leaves it in its queue.
 */
import type { Logger } from '@aws-lambda-powertools/logger';
import { type Envelope, RETRY_BACKOFF_MS, TaskErrorCode, type TaskRecord, WorkerMetric } from '../../lib/contract';
import { CancelledError } from '../runtime/errors';
import { NO_USAGE } from '../runtime/limits/usage';
import type { SqsRecord } from '../shared/aws/sqs-event';
import { fullJitterMs } from '../shared/backoff';
import { stopwatch } from '../shared/clock';
import { messageOf } from '../shared/errors';
import type { Claim, UnreadableClaim } from '../shared/tasks/task-leases';
import { traceRootOf } from '../shared/telemetry/trace-header';
import { afterAttempts, exhaustedFailure, TaskRunner } from './attempt/task-runner';
import type { ClaimedTask } from './claimed-task';
import { TaskFinisher } from './ending/task-finisher';
import { TaskRequeuer } from './ending/task-requeuer';
import type { UserConcurrencyLimiter, UserSlot } from './lease/user-concurrency-limiter';
import { parseMessage } from './message/parse-message';
import { type MessageDisposition, WorkerMessage } from './message/worker-message';
import { TaskMetrics } from './task-metrics';
import { TaskPayloads } from './task-payloads';
import type { TaskProcessorDeps } from './task-processor-deps';

type Limits = Pick<ClaimedTask, 'remainingMs' | 'stopSignal'>;

/**
 * Processes one message: claims its task, runs the attempt, writes the outcome, sends notifications, emits metrics.
 *
 * SQS delivers at least once and a worker can crash at any point, so every step may run twice or be the last one. Three
 * rules keep that safe: the lease in the task's item lets one worker at a time run the task, and only its holder writes the
 * outcome; the message stays in its queue until the webhook and the dead-letter message are sent, and a worker that
 * receives the message of a finished task sends them again; a copy is sent before the message that it replaces is deleted.
 */
export class TaskProcessor<I, O> {
  readonly #deps: TaskProcessorDeps<I, O>;
  readonly #metrics: TaskMetrics;
  readonly #finisher: TaskFinisher;
  readonly #runner: TaskRunner<I, O>;

  constructor(deps: TaskProcessorDeps<I, O>) {
    this.#deps = deps;
    const { settings, store, deadLetters, webhooks, spending, times, clock, random } = deps;
    const metrics = new TaskMetrics(settings, clock, deps.metrics);
    const payloads = new TaskPayloads(deps.payloads);
    const finisher = new TaskFinisher({ store, payloads, deadLetters, webhooks, spending, metrics, times });
    const requeuer = new TaskRequeuer({ store, finisher, spending, metrics, clock, random });
    this.#metrics = metrics;
    this.#finisher = finisher;
    this.#runner = new TaskRunner({
      ...deps,
      stepPayloads: deps.payloads,
      payloads,
      metrics,
      finisher,
      requeuer,
    });
  }

  /**
   * @param remainingMs real milliseconds until Lambda ends the function, or the worker's timeout in a container
   * @param stop aborts with a TaskRequeuedError when the worker's container must stop. @default never aborts
   */
  async process(record: SqsRecord, remainingMs: () => number, stop?: AbortSignal): Promise<MessageDisposition> {
    const { settings, queues, times } = this.#deps;
    const parsed = parseMessage(record.body, settings.agent);
    if (!parsed.ok) {
      this.#deps.logger.error(`message left in its queue: ${parsed.reason}`, {
        messageId: record.messageId,
        outcome: 'refused',
      });
      return 'leave';
    }
    const logger = this.#loggerFor(parsed.envelope, traceRootOf(record.attributes.AWSTraceHeader));
    const message = new WorkerMessage(parsed.envelope, logger, record, queues);
    try {
      return message.isNearMaxReceiveCount(settings.maxReceives)
        ? await this.#replaceMessage(message)
        : await this.#withUserSlot(message, { remainingMs, stopSignal: stop });
    } catch (error) {
      logger.error('processing failed before the task was finished; SQS will deliver the message again', {
        outcome: 'error',
        reason: messageOf(error),
      });
      // Not before the end of a lease that may have been written.
      return message.postpone(times.leaseMs + times.visibilityBeyondLeaseMs);
    }
  }

  #loggerFor({ lane, taskId, mode }: Envelope, trace: string | undefined): Logger {
    return this.#deps.logger.createChild({
      persistentKeys: { lane, task: taskId, mode, trace },
      jsonReplacerFn: (_, value) => (typeof value === 'string' ? this.#deps.redact(value) : value),
    });
  }

  async #replaceMessage(message: WorkerMessage): Promise<MessageDisposition> {
    await message.resend();
    message.logger.info('message replaced with a copy: its receive count is close to the maximum', {
      outcome: 'replaced',
      receives: message.receiveCount,
    });
    return 'delete';
  }

  /** Processes the task while it holds a slot of its user, if users are limited. Without a slot the task stays unclaimed. */
  async #withUserSlot(message: WorkerMessage, limits: Limits): Promise<MessageDisposition> {
    const { userConcurrency, random } = this.#deps;
    const { envelope, logger, receiveCount } = message;
    if (userConcurrency === undefined || envelope.mode === 'probe') {
      return this.#claim(message, limits, async () => {});
    }
    const slot = await userConcurrency.acquire(envelope.user, envelope.taskId);
    if (slot === undefined) {
      logger.info('the user is at the limit of concurrent tasks; the task waits', {
        outcome: 'wait',
        receives: receiveCount,
      });
      return message.postpone(fullJitterMs(receiveCount, random(), RETRY_BACKOFF_MS));
    }
    // An existing slot belongs to the worker that holds the task, until this worker claims it.
    let ownedSlot = slot.isNew ? slot : undefined;
    try {
      return await this.#claim(message, limits, async () => {
        ownedSlot ??= await this.#renewSlot(userConcurrency, slot, logger);
      });
    } finally {
      if (ownedSlot !== undefined) {
        await this.#releaseSlot(userConcurrency, ownedSlot, logger);
      }
    }
  }

  async #renewSlot(userConcurrency: UserConcurrencyLimiter, slot: UserSlot, logger: Logger): Promise<UserSlot> {
    try {
      return await userConcurrency.takeOver(slot);
    } catch (error) {
      logger.warn('the concurrency slot of the user was not renewed; it may expire before the task ends', {
        outcome: 'error',
        reason: messageOf(error),
      });
      return slot;
    }
  }

  async #releaseSlot(userConcurrency: UserConcurrencyLimiter, slot: UserSlot, logger: Logger): Promise<void> {
    try {
      await userConcurrency.release(slot);
    } catch (error) {
      logger.warn('the concurrency slot of the user was not released; it expires on its own', {
        outcome: 'error',
        reason: messageOf(error),
      });
    }
  }

  /** @param onClaimed called before the task is run */
  async #claim(message: WorkerMessage, limits: Limits, onClaimed: () => Promise<void>): Promise<MessageDisposition> {
    const { store } = this.#deps;
    const { envelope, traceHeader } = message;
    const elapsed = stopwatch();
    const claim = await store.claim(envelope.taskId, envelope.lane, traceHeader);
    if (claim.kind !== 'claimed') {
      return this.#handleUnclaimed(message, claim);
    }
    const { lease, task } = claim;
    const countedAttempts = task.attempts - (task.uncounted ?? 0);
    if (task.claimedFrom === 'running') {
      this.#countLostWorker(message, task);
    }
    await onClaimed();
    return this.#runOrFinish({ message, lease, task, countedAttempts, elapsed, ...limits });
  }

  /** The worker of the previous attempt neither finished nor renewed: it crashed, was killed, or hangs. */
  #countLostWorker({ logger }: WorkerMessage, task: TaskRecord): void {
    logger.warn('worker lost: lease of the last attempt expired without a report', {
      outcome: 'abandoned',
      attempt: task.attempts - 1,
    });
    this.#metrics.count(task, WorkerMetric.ABANDONED);
  }

  async #handleUnclaimed(
    message: WorkerMessage,
    claim: Exclude<Claim, { kind: 'claimed' }>,
  ): Promise<MessageDisposition> {
    const { logger, receiveCount } = message;
    const { times, clock } = this.#deps;
    switch (claim.kind) {
      case 'final':
        logger.info('the task is already finished', { status: claim.task.status, outcome: 'duplicate' });
        return this.#finisher.sendNotifications(message, claim.task);
      case 'unknown':
        logger.warn('the task has no record: intake deleted it, or it has expired', { outcome: 'unknown' });
        return 'delete';
      case 'held':
        logger.info('another worker holds the lease; the message waits until the lease ends', {
          outcome: 'held',
          receives: receiveCount,
        });
        return message.postpone(claim.leaseExpiresAt - clock.now() + times.visibilityBeyondLeaseMs);
      case 'moved':
        return this.#forwardToLane(message, claim.task);
      case 'unreadable':
        return this.#failUnreadable(message, claim);
    }
  }

  /** Finishes a task that was cancelled, is past its deadline or has no attempts left; runs any other. */
  #runOrFinish(claimed: ClaimedTask): Promise<MessageDisposition> {
    const { settings, clock } = this.#deps;
    const { task, countedAttempts, message } = claimed;
    message.logger.info('task claimed', {
      outcome: 'claimed',
      attempt: task.attempts,
      receives: message.receiveCount,
    });
    if (task.cancelRequestedAt !== undefined) {
      const { code, message: reason } = new CancelledError();
      return this.#runner.finishWithoutRun(claimed, { status: 'cancelled', error: { code, message: reason } });
    }
    if (task.deadlineAt !== undefined && task.deadlineAt <= clock.now()) {
      const deadline = new Date(task.deadlineAt).toISOString();
      const error = { code: TaskErrorCode.TIMED_OUT, message: `the task did not end by its deadline, ${deadline}` };
      return this.#runner.finishWithoutRun(claimed, { status: 'timed_out', error });
    }
    // A failed last attempt finishes the task, so a claim beyond it means that the last worker was lost.
    if (countedAttempts > settings.maxAttempts) {
      const error = {
        code: TaskErrorCode.WORKER_LOST,
        message: 'worker lost: lease expired without a report (out of memory, timeout, crash)',
      };
      return this.#runner.finishWithoutRun(claimed, exhaustedFailure(error, afterAttempts(settings.maxAttempts)));
    }
    return task.mode === 'probe' ? this.#runner.runProbe(claimed) : this.#runner.run(claimed);
  }

  /** Forwards the message of a task that moved to another lane: that lane may not have a message for it yet. */
  async #forwardToLane(message: WorkerMessage, task: TaskRecord): Promise<MessageDisposition> {
    if (task.status === 'queued') {
      await message.resend(task);
    }
    message.logger.info('the task moved to another lane', { outcome: 'moved', to: task.lane });
    return 'delete';
  }

  /**
   * Fails a task whose record is unreadable, if this worker could claim it, and moves its message to the dead-letter queue:
   * the record does not become readable by itself, and the queue's alarm calls an operator. While another worker holds the
   * task, the message waits.
   */
  async #failUnreadable(
    message: WorkerMessage,
    { error, lease, heldUntil }: UnreadableClaim,
  ): Promise<MessageDisposition> {
    const { store, deadLetters, times, clock } = this.#deps;
    const { envelope, logger, traceHeader } = message;
    const code = TaskErrorCode.INVALID_RECORD;
    if (heldUntil !== undefined) {
      logger.error(`the message was left in its queue: ${error.message}`, { outcome: 'held', code });
      return message.postpone(heldUntil - clock.now() + times.visibilityBeyondLeaseMs);
    }
    if (lease !== undefined) {
      const end = { code, message: `the task's record is unreadable: ${error.reason}` };
      await store.finish(lease, { status: 'failed', usage: NO_USAGE, ranMs: 0, error: end });
    }
    await deadLetters.send(envelope, { reason: code, attempts: lease?.attempt }, traceHeader);
    logger.error('the message was moved to the dead-letter queue: the record of its task is unreadable', {
      outcome: 'failed',
      code,
      reason: error.message,
    });
    return 'delete';
  }
}
