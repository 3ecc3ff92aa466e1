import type { Logger } from '@aws-lambda-powertools/logger';
import {
  type Envelope,
  FINAL_STATUSES,
  type Json,
  LEASE_MS,
  LEASE_SAFETY_MS,
  MAX_INLINE_BYTES,
  MAX_WAITS,
  PayloadKey,
  type PayloadRef,
  type TaskError,
  type TaskRecord,
  type Usage,
  VISIBILITY_BEYOND_LEASE_MS,
  WorkerMetric,
} from '../../lib/contract';
import { errorName } from '../common/aws-errors';
import { type Clock, stopwatch } from '../common/clock';
import type { MetricSink } from '../common/emf';
import { PayloadLostError, type PayloadStore } from '../common/payload-store';
import type { TaskQueues } from '../common/task-queues';
import type { Tracer } from '../common/tracing';
import { owesWebhook, type WebhookOutbox } from '../common/webhook-outbox';
import type { AgentDefinition, TaskInfo } from '../runtime/agent';
import type { AgentEnvironment } from '../runtime/context';
import { FatalError, isAgentError, messageOf, RetryableError } from '../runtime/errors';
import { type JournalStore, TaskJournal } from '../runtime/journal';
import { NOTHING_USED } from '../runtime/usage';
import { agentLogger } from './agent-logger';
import { attempt, failureOutcome, type Outcome, type Spent } from './attempt';
import { backoffMs } from './backoff';
import type { DeadLetters } from './dead-letters';
import { Delivery, type Verdict } from './delivery';
import type { SqsRecord } from './events';
import { Heartbeat } from './heartbeat';
import type { InFlight, Slot } from './in-flight';
import { parseMessage } from './message';
import { emitTaskMetrics, emitWorkerMetric } from './metrics';
import { probe } from './probe';
import type { WorkerSettings } from './settings';
import type { Claim, Lease, TaskEnd, TaskStore, Written } from './task-store';

/** After its end a task whose caller or dead-letter queue could not be told is tried again so much later. */
const TELL_AGAIN_MS = 30_000;

/** A task goes on past its deadline only to be ended, so soon after. */
const AFTER_DEADLINE_MS = 1_000;

const DAY_SECONDS = 86_400;

const NOTHING_SPENT: Spent = { usage: NOTHING_USED, score: undefined, steps: { executed: 0, replayed: 0 } };

export interface WorkerParts<I, O> {
  readonly agent: AgentDefinition<I, O>;
  readonly settings: WorkerSettings;
  readonly store: TaskStore;
  readonly journal: JournalStore;
  readonly payloads: PayloadStore;
  readonly queues: TaskQueues;
  readonly deadLetters: DeadLetters;
  /** Undefined for a service without webhooks. */
  readonly webhooks: WebhookOutbox | undefined;
  /** Undefined when the tasks of one user are not limited. */
  readonly inFlight: InFlight | undefined;
  readonly revocation: { revoked(): Promise<boolean> };
  /** Gives what all tasks share. Loaded at the first task; an attempt whose load failed is repeated. */
  readonly environment: () => Promise<AgentEnvironment>;
  /** Takes the values of secrets out of what is logged. */
  readonly redact: (text: string) => string;
  readonly clock: Clock;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly tracer: Tracer;
  readonly logger: Logger;
  /** @default standard output */
  readonly metrics?: MetricSink;
}

/** A task that this worker has claimed. */
interface Work {
  readonly delivery: Delivery;
  readonly lease: Lease;
  readonly task: TaskRecord;
  /** Attempts that count, this one included. */
  readonly tries: number;
  readonly remainingMs: () => number;
  /** Real milliseconds since the claim. */
  readonly elapsed: () => number;
}

/** An end as the attempt made it; the worker adds what it knows. */
type End = Omit<TaskEnd, 'ranMs'>;

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

  constructor(parts: WorkerParts<I, O>) {
    this.#parts = parts;
  }

  /** @param remainingMs real milliseconds until Lambda ends the function */
  async process(message: SqsRecord, remainingMs: () => number): Promise<Verdict> {
    const { settings, queues } = this.#parts;
    const parsed = parseMessage(message.body, settings.agent);
    if (!parsed.ok) {
      this.#parts.logger.error(`a message was left in its queue: ${parsed.reason}`, {
        messageId: message.messageId,
        outcome: 'refused',
      });
      return 'leave';
    }
    const delivery = new Delivery(parsed.envelope, this.#loggerFor(parsed.envelope), message, queues);
    if (delivery.isWornOut(settings.maxReceives)) {
      await delivery.sendAnew();
      delivery.logger.info('the message was received so often that a fresh copy takes its place', {
        outcome: 'replaced',
        receives: delivery.receives,
      });
      return 'delete';
    }
    try {
      return await this.#withSlot(delivery, () => this.#claim(delivery, remainingMs));
    } catch (error) {
      delivery.logger.error('the task was left as it is, its message comes back', {
        outcome: 'error',
        reason: messageOf(error),
      });
      // Not before a lease that may have been written has run out.
      return delivery.postpone(LEASE_MS + VISIBILITY_BEYOND_LEASE_MS);
    }
  }

  #loggerFor({ lane, taskId, mode }: Envelope): Logger {
    return this.#parts.logger.createChild({
      persistentKeys: { lane, task: taskId, mode },
      jsonReplacerFn: (_, value) => (typeof value === 'string' ? this.#parts.redact(value) : value),
    });
  }

  /** Works while the task has one of its user's slots, if these are limited. Without one the task waits unclaimed. */
  async #withSlot(delivery: Delivery, work: () => Promise<Handled>): Promise<Verdict> {
    const { inFlight, random } = this.#parts;
    const { envelope, logger, receives } = delivery;
    if (inFlight === undefined || envelope.mode === 'probe') {
      return (await work()).verdict;
    }
    const slot = await inFlight.take(envelope.user, envelope.taskId);
    if (slot === undefined) {
      logger.info('as many tasks of the user run as may at once, the task waits', { outcome: 'wait', receives });
      return delivery.postpone(backoffMs(receives, random()));
    }
    let claimed = false;
    try {
      const handled = await work();
      claimed = handled.claimed;
      return handled.verdict;
    } finally {
      // A slot that was there before belongs to the worker that has the task, unless this one has taken it over.
      if (claimed || slot.fresh) {
        await this.#leave(inFlight, slot, logger);
      }
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

  async #claim(delivery: Delivery, remainingMs: () => number): Promise<Handled> {
    const { store, clock } = this.#parts;
    const { envelope, logger, receives, traceHeader } = delivery;
    const elapsed = stopwatch();
    const claim = await store.claim(envelope.taskId, envelope.lane, traceHeader);
    const unclaimed = async (verdict: Verdict | Promise<Verdict>) => ({ claimed: false, verdict: await verdict });
    switch (claim.kind) {
      case 'claimed': {
        const { lease, task } = claim;
        const tries = task.attempts - (task.uncounted ?? 0);
        return {
          claimed: true,
          verdict: await this.#work({ delivery, lease, task, tries, remainingMs, elapsed }),
        };
      }
      case 'final':
        logger.info('the task is finished already', { status: claim.task.status, outcome: 'duplicate' });
        return unclaimed(this.#tell(delivery, claim.task));
      case 'unknown':
        logger.warn('the task has no record: it was taken back at intake, or has expired', { outcome: 'unknown' });
        return unclaimed('delete');
      case 'held':
        logger.info('another worker holds the task, the message waits until that worker has finished or is gone', {
          outcome: 'held',
          receives,
        });
        return unclaimed(delivery.postpone(claim.leaseExpiresAt - clock.now() + VISIBILITY_BEYOND_LEASE_MS));
      case 'moved':
        return unclaimed(this.#follow(delivery, claim.task));
      case 'unreadable':
        return unclaimed(this.#endUnreadable(delivery, claim));
    }
  }

  /** Ends what is not to be run any more, runs the rest. */
  async #work(work: Work): Promise<Verdict> {
    const { settings, clock } = this.#parts;
    const { task, tries, delivery } = work;
    delivery.logger.info('task claimed', { outcome: 'claimed', attempt: task.attempts, receives: delivery.receives });
    if (task.cancelRequestedAt !== undefined) {
      return this.#endUnrun(work, { status: 'cancelled', error: CANCELLED });
    }
    if (task.deadlineAt !== undefined && task.deadlineAt <= clock.now()) {
      const deadline = new Date(task.deadlineAt).toISOString();
      const error = { code: 'timed_out', message: `the task did not end by its deadline, ${deadline}` };
      return this.#endUnrun(work, { status: 'timed_out', error });
    }
    // The last attempt that counts ends the task when it fails: a claim beyond it means that its worker never came so far.
    if (tries > settings.maxAttempts) {
      const error = {
        code: 'worker_lost',
        message: `given up after ${times(settings.maxAttempts)}: the task's last worker went away without a word (out of memory, killed at its timeout, crashed)`,
      };
      return this.#endUnrun(work, { status: 'failed', error, exhausted: true });
    }
    return task.mode === 'probe' ? this.#probe(work) : this.#run(work);
  }

  async #run(work: Work): Promise<Verdict> {
    const { delivery, lease, task } = work;
    const { store, clock } = this.#parts;
    const controller = new AbortController();
    const heartbeat = new Heartbeat(lease, controller, {
      renew: (current, signal) => store.renew(current, signal),
      hide: (milliseconds, signal) => delivery.hide(milliseconds, signal),
      // Only a candidate is taken back: what the stable lane runs has nowhere else to go on.
      revoked: async () => task.lane === 'candidate' && (await this.#parts.revocation.revoked()),
      clock,
      logger: delivery.logger,
    });
    let outcome: Outcome;
    let resultRef: PayloadRef | undefined;
    try {
      outcome = await this.#attempt(work, controller, () => heartbeat.held());
      if (outcome.kind === 'succeeded') {
        ({ outcome, resultRef } = await this.#keepLarge(work, outcome));
      }
    } finally {
      // First, so that no late heartbeat hides the message for longer than is now decided.
      await heartbeat.stop();
    }
    this.#measureReplays(work, outcome);
    return heartbeat.held() ? this.#settle(work, outcome, resultRef) : this.#lost(work, undefined, outcome.kind);
  }

  async #attempt(work: Work, controller: AbortController, leaseHeld: () => boolean): Promise<Outcome> {
    const { agent, clock, tracer } = this.#parts;
    const { delivery, task, remainingMs } = work;
    let spent: Spent = { ...NOTHING_SPENT, usage: task.usage ?? NOTHING_USED };
    try {
      const journal = await this.#openJournal(work, leaseHeld);
      spent = { ...NOTHING_SPENT, usage: journal.usage };
      const environment = await this.#parts.environment();
      const input = await this.#input(task);
      return await attempt(agent, environment, {
        task: this.#describe(task),
        input,
        logger: agentLogger(delivery.logger),
        remainingMs: remainingMs(),
        controller,
        journal,
        clock,
        ...(task.ranMs === undefined ? {} : { ranMs: task.ranMs }),
        ...(task.deadlineAt === undefined ? {} : { deadlineAt: task.deadlineAt }),
        trace: tracer.contextOf(delivery.traceHeader),
      });
    } catch (error) {
      return failureOutcome(isAgentError(error) ? error : workerError(error), spent, this.#parts.redact);
    }
  }

  #openJournal({ task, lease }: Work, leaseHeld: () => boolean): Promise<TaskJournal> {
    const { journal, payloads, settings, clock } = this.#parts;
    const keptUntil = Math.ceil(clock.now() / 1000) + settings.retentionDays * DAY_SECONDS;
    return TaskJournal.open({
      store: journal,
      payloads,
      taskId: task.id,
      attempt: task.attempts,
      token: lease.token,
      release: settings.release,
      leaseHeld,
      // A task that failed may be sent back as long as its record is kept.
      expiresAt: Math.max(task.expiresAt, keptUntil),
      recordUsage: task.usage,
      clock,
    });
  }

  async #input({ input, inputRef }: TaskRecord): Promise<Json | undefined> {
    if (inputRef === undefined) {
      return input;
    }
    try {
      return await this.#parts.payloads.get(inputRef);
    } catch (error) {
      if (error instanceof PayloadLostError) {
        throw new FatalError(`the task's input is lost: ${error.message}`, { code: 'input_lost', cause: error });
      }
      throw payloadUnavailable('the input of the task could not be read', error);
    }
  }

  /** Puts a result that is too large for the task's item where it has room. */
  async #keepLarge(
    { task }: Work,
    outcome: Extract<Outcome, { kind: 'succeeded' }>,
  ): Promise<{ readonly outcome: Outcome; readonly resultRef: PayloadRef | undefined }> {
    const text = JSON.stringify(outcome.result);
    if (Buffer.byteLength(text) <= MAX_INLINE_BYTES) {
      return { outcome, resultRef: undefined };
    }
    try {
      return { outcome, resultRef: await this.#putResult(task, text) };
    } catch (error) {
      const failed = payloadUnavailable('the result of the task could not be written', error);
      return { outcome: failureOutcome(failed, outcome, this.#parts.redact), resultRef: undefined };
    }
  }

  #putResult({ id, attempts }: TaskRecord, text: string): Promise<PayloadRef> {
    return this.#parts.payloads.put(PayloadKey.result(id, attempts), text);
  }

  #settle(work: Work, outcome: Outcome, resultRef: PayloadRef | undefined): Promise<Verdict> {
    const { settings } = this.#parts;
    const { usage, score } = outcome;
    const spent = { usage, ...(score === undefined ? {} : { score }) };
    switch (outcome.kind) {
      case 'succeeded': {
        const result = resultRef === undefined ? { result: outcome.result } : { resultRef };
        return this.#end(work, { status: 'succeeded', ...result, ...spent });
      }
      case 'failed':
      case 'timed_out':
      case 'cancelled':
        return this.#end(work, { status: outcome.kind, error: outcome.error, ...spent });
      case 'retry':
        return work.tries >= settings.maxAttempts
          ? this.#end(work, { ...exhausted(outcome.error, times(work.tries)), ...spent })
          : this.#retry(work, outcome);
      case 'wait':
        return (work.task.waits ?? 0) >= MAX_WAITS
          ? this.#end(work, { ...exhausted(outcome.error, `having waited ${MAX_WAITS} times`), ...spent })
          : this.#wait(work, outcome);
      case 'handed_back':
        return this.#handBack(work, outcome);
      case 'lost':
        return this.#lost(work, undefined, outcome.kind);
    }
  }

  async #retry(work: Work, { error, usage, retryAfterMs }: Failure): Promise<Verdict> {
    const refused = await this.#giveBack(work, usage, {});
    if (refused !== undefined) {
      return refused;
    }
    work.delivery.logger.warn('the attempt failed, the task goes back to its queue', {
      outcome: 'retry',
      code: error.code,
      reason: error.message,
      attempt: work.task.attempts,
      receives: work.delivery.receives,
      durationMs: Math.round(work.elapsed()),
    });
    this.#count(work, WorkerMetric.RETRIED);
    return this.#postpone(work, backoffMs(work.tries, this.#parts.random(), retryAfterMs));
  }

  async #wait(work: Work, { error, usage, retryAfterMs }: Failure): Promise<Verdict> {
    const waits = (work.task.waits ?? 0) + 1;
    const refused = await this.#giveBack(work, usage, { uncounted: true, waited: true });
    if (refused !== undefined) {
      return refused;
    }
    work.delivery.logger.info('a provider limits its callers, the task waits in its queue', {
      outcome: 'wait',
      code: error.code,
      reason: error.message,
      waits,
      durationMs: Math.round(work.elapsed()),
    });
    return this.#postpone(work, backoffMs(waits, this.#parts.random(), retryAfterMs));
  }

  /** Another worker goes on at once: with a message of its own, so that the hand-over costs no receive. */
  async #handBack(work: Work, { error, usage, handBack }: Failure): Promise<Verdict> {
    const { delivery, task } = work;
    const lane = handBack === 'revoked' ? 'stable' : task.lane;
    const refused = await this.#giveBack(work, usage, { uncounted: true, lane });
    if (refused !== undefined) {
      return refused;
    }
    delivery.logger.info('the task was handed back, another worker goes on', {
      outcome: 'handed_back',
      code: handBack,
      reason: error.message,
      to: lane,
      durationMs: Math.round(work.elapsed()),
    });
    this.#count(work, WorkerMetric.HANDED_BACK);
    try {
      await delivery.sendAnew({ ...task, lane });
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
  async #giveBack(
    work: Work,
    usage: Usage,
    how: { readonly uncounted?: boolean; readonly waited?: boolean; readonly lane?: TaskRecord['lane'] },
  ): Promise<Verdict | undefined> {
    const written = await this.#parts.store.giveBack(work.lease, { usage, ranMs: Math.round(work.elapsed()), ...how });
    switch (written.kind) {
      case 'written':
        return undefined;
      case 'cancelled':
        return this.#end(work, { status: 'cancelled', error: CANCELLED, usage });
      case 'lost':
        return this.#lost(work, written.task, 'given back');
    }
  }

  /** Ends a task that is not to be run, with what its earlier attempts used. */
  async #endUnrun(work: Work, end: Omit<End, 'usage'>): Promise<Verdict> {
    let usage = work.task.usage ?? NOTHING_USED;
    try {
      usage = (await this.#openJournal(work, () => true)).usage;
    } catch (error) {
      work.delivery.logger.warn('what earlier attempts used is known from the record alone', {
        outcome: 'error',
        reason: messageOf(error),
      });
    }
    return this.#end(work, { ...end, usage }, true);
  }

  async #end(work: Work, end: End, unrun = false): Promise<Verdict> {
    const { delivery, task } = work;
    const ranMs = unrun ? 0 : Math.round(work.elapsed());
    const written = await this.#finish(work, { ...end, ranMs });
    if (written.kind !== 'written') {
      return this.#lost(work, written.kind === 'lost' ? written.task : undefined, end.status);
    }
    delivery.logger[end.exhausted === true ? 'error' : 'info']('task finished', {
      outcome: end.status,
      ...(end.error === undefined ? {} : { code: end.error.code, reason: end.error.message }),
      ...(end.exhausted === true ? { exhausted: true } : {}),
      durationMs: ranMs,
      attempt: task.attempts,
      usage: end.usage,
    });
    if (task.mode !== 'probe') {
      this.#measure(work, end, unrun ? undefined : ranMs);
    }
    return this.#tell(delivery, written.task ?? task);
  }

  /** Writes the end. A result that DynamoDB does not take (too deep, numbers out of range) goes to the bucket. */
  async #finish({ lease, task }: Work, end: TaskEnd): Promise<Written> {
    const { store } = this.#parts;
    try {
      return await store.finish(lease, end);
    } catch (error) {
      if (errorName(error) !== 'ValidationException' || end.result === undefined) {
        throw error;
      }
      const { result, ...rest } = end;
      return store.finish(lease, { ...rest, resultRef: await this.#putResult(task, JSON.stringify(result)) });
    }
  }

  /**
   * Does what is left to do for a finished task before its message may go: its caller hears of the end, and what failed
   * after its last attempt goes to the dead-letter queue, where it is alarmed and can be sent back from. Whoever comes
   * here cannot know whether an earlier worker got that far, so both may happen twice.
   */
  async #tell(delivery: Delivery, task: TaskRecord): Promise<Verdict> {
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

  /** For a message of a task that goes on in another lane: that lane may not have a message of its own yet. */
  async #follow(delivery: Delivery, task: TaskRecord): Promise<Verdict> {
    if (task.status === 'queued') {
      await delivery.sendAnew(task);
    }
    delivery.logger.info('the task goes on in another lane', { outcome: 'moved', to: task.lane });
    return 'delete';
  }

  async #probe(work: Work): Promise<Verdict> {
    const { agent, environment, clock, store } = this.#parts;
    const { delivery, task, lease, remainingMs } = work;
    const heartbeat = new Heartbeat(lease, new AbortController(), {
      renew: (current, signal) => store.renew(current, signal),
      hide: (milliseconds, signal) => delivery.hide(milliseconds, signal),
      revoked: async () => false,
      clock,
      logger: delivery.logger,
    });
    const { result, usage, problem } = await probe(agent, environment, {
      task: this.#describe(task),
      logger: agentLogger(delivery.logger),
      clock,
      remainingMs: remainingMs(),
    });
    await heartbeat.stop();
    if (!heartbeat.held()) {
      return this.#lost(work, undefined, 'probe');
    }
    delivery.logger.info('probe finished', {
      outcome: problem === undefined ? 'ok' : 'error',
      ...(problem === undefined ? {} : { reason: problem }),
    });
    return this.#end(work, {
      status: problem === undefined ? 'succeeded' : 'failed',
      usage,
      result,
      ...(problem === undefined ? {} : { error: { code: 'probe_failed', message: problem } }),
    });
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

  /** @param found the record, if the store was asked; else this worker counts its lease as lost by its own clock */
  async #lost(work: Work, found: TaskRecord | undefined, outcome: string): Promise<Verdict> {
    const { delivery, task } = work;
    delivery.logger.warn(
      'a late result was not written: the lease has passed to another worker or the task was ended',
      {
        outcome: 'late',
        result: outcome,
        status: found?.status,
      },
    );
    if (task.mode !== 'probe') {
      this.#count(work, WorkerMetric.LATE);
    }
    if (found === undefined) {
      return delivery.postpone(LEASE_SAFETY_MS + VISIBILITY_BEYOND_LEASE_MS);
    }
    return FINAL_STATUSES.includes(found.status) ? this.#tell(delivery, found) : 'leave';
  }

  /** Makes the message come back after so long; for a task with a deadline not long after that. */
  #postpone({ delivery, task }: Work, milliseconds: number): Promise<Verdict> {
    const untilDeadline =
      task.deadlineAt === undefined
        ? Number.POSITIVE_INFINITY
        : Math.max(0, task.deadlineAt - this.#parts.clock.now()) + AFTER_DEADLINE_MS;
    return delivery.postpone(Math.min(milliseconds, untilDeadline));
  }

  #describe(task: TaskRecord): TaskInfo {
    return {
      id: task.id,
      agent: this.#parts.settings.agent,
      release: this.#parts.settings.release,
      lane: task.lane,
      priority: task.priority,
      mode: task.mode,
      user: task.user,
      ...(task.session === undefined ? {} : { session: task.session }),
      attempt: task.attempts,
      createdAt: task.createdAt,
    };
  }

  #measure({ task }: Work, end: End, durationMs: number | undefined): void {
    const { settings, clock, metrics } = this.#parts;
    emitTaskMetrics(
      {
        id: task.id,
        agent: settings.agent,
        lane: task.lane,
        release: settings.release,
        status: end.status,
        cutOff: end.status === 'timed_out' || end.error?.code === 'limit_exceeded',
        durationMs,
        queueWaitMs: (task.startedAt ?? task.createdAt) - task.createdAt,
        usage: end.usage,
        score: end.score,
        finishedAt: clock.now(),
      },
      metrics,
    );
    if (end.exhausted === true) {
      this.#count({ task }, WorkerMetric.EXHAUSTED);
    }
  }

  #measureReplays(work: Work, { steps }: Outcome): void {
    if (steps.replayed > 0) {
      this.#count(work, WorkerMetric.REPLAYED_STEPS, steps.replayed);
    }
  }

  #count({ task }: Pick<Work, 'task'>, metric: (typeof WorkerMetric)[keyof typeof WorkerMetric], value = 1): void {
    const { settings, clock, metrics } = this.#parts;
    const { agent, release } = settings;
    emitWorkerMetric({ task: task.id, agent, lane: task.lane, release, metric, value, at: clock.now() }, metrics);
  }
}

interface Handled {
  readonly claimed: boolean;
  readonly verdict: Verdict;
}

type Failure = Exclude<Outcome, { kind: 'succeeded' }>;

const CANCELLED: TaskError = { code: 'cancelled', message: 'the task was cancelled by its caller' };

function exhausted({ code, message }: TaskError, how: string) {
  return { status: 'failed', error: { code, message: `given up ${how}: ${message}` }, exhausted: true } as const;
}

function times(attempts: number): string {
  return `after ${attempts} attempt${attempts === 1 ? '' : 's'}`;
}

function payloadUnavailable(what: string, cause: unknown): RetryableError {
  return new RetryableError(`${what}: ${messageOf(cause)}`, { code: 'payload_unavailable', cause });
}

/** What the worker itself cannot do is a fault of this worker, and the task fails by it. */
function workerError(error: unknown): FatalError {
  return new FatalError(messageOf(error), { code: 'worker_error', cause: error });
}
