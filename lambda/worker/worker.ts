import type { Logger } from '@aws-lambda-powertools/logger';
import type { Envelope, TaskError, TaskRecord, Usage } from '../../lib/contract';
import { type Clock, stopwatch } from '../common/clock';
import type { MetricSink } from '../common/emf';
import type { AgentDefinition, TaskInfo } from '../runtime/agent';
import type { AgentEnvironment } from '../runtime/context';
import { dispositionOf, isAgentError, messageOf } from '../runtime/errors';
import { addUsage, NOTHING_USED } from '../runtime/usage';
import { agentLogger } from './agent-logger';
import { attempt, type Outcome } from './attempt';
import type { SqsRecord } from './events';
import { parseMessage } from './message';
import { emitTaskMetrics } from './metrics';
import { probe } from './probe';
import type { WorkerSettings } from './settings';
import type { Claim, Lease, TaskEnd, TaskStore, Written } from './task-store';

/** What becomes of a message: `leave` lets the queue hand it out again, or move it to the dead-letter queue. */
export type Verdict = 'delete' | 'leave';

export interface WorkerParts<I, O> {
  readonly agent: AgentDefinition<I, O>;
  readonly settings: WorkerSettings;
  readonly store: TaskStore;
  /** Gives what all tasks share. Loaded at the first task; an attempt whose load failed is repeated. */
  readonly environment: () => Promise<AgentEnvironment>;
  /** Takes the values of secrets out of what is logged. */
  readonly redact: (text: string) => string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** @default standard output */
  readonly metrics?: MetricSink;
}

type Claimed = Extract<Claim, { kind: 'claimed' }>;

/**
 * Takes one message to its end: claim, run, write, measure.
 *
 * Delivery is at least once and workers die at any time, so every step may happen twice; the lease in the task's item
 * makes the end be written once. A message is deleted only when its task is final (or unknown): a message in front of a
 * task that somebody else is working on is that task's insurance, should the somebody die, and is left.
 */
export class Worker<I, O> {
  readonly #parts: WorkerParts<I, O>;

  constructor(parts: WorkerParts<I, O>) {
    this.#parts = parts;
  }

  /** @param remainingMs real milliseconds until Lambda ends the function */
  async process(message: SqsRecord, remainingMs: () => number): Promise<Verdict> {
    const { settings, store } = this.#parts;
    const parsed = parseMessage(message.body, settings.agent);
    if (!parsed.ok) {
      this.#parts.logger.error(`a message was left in its queue: ${parsed.reason}`, {
        messageId: message.messageId,
        outcome: 'refused',
      });
      return 'leave';
    }
    const { envelope } = parsed;
    const logger = this.#parts.logger.createChild({
      persistentKeys: { lane: envelope.lane, task: envelope.taskId, mode: envelope.mode },
      jsonReplacerFn: (_, value) => (typeof value === 'string' ? this.#parts.redact(value) : value),
    });
    const receives = message.attributes.ApproximateReceiveCount;
    const lastReceive = receives >= settings.maxReceives;
    const trace = message.attributes.AWSTraceHeader;

    // On its last receive a task whose worker died is not tried again: were this worker to die of it too, nobody would
    // be left to write the task's end.
    const claim = await store.claim(envelope.taskId, trace, !lastReceive);
    switch (claim.kind) {
      case 'claimed':
        return this.#run(envelope, claim, { logger, receives, lastReceive, remainingMs });
      case 'final':
        logger.info('the task is finished already', { status: claim.status, outcome: 'duplicate' });
        return 'delete';
      case 'unknown':
        logger.warn('the task has no record: it was taken back at intake, or has expired', { outcome: 'unknown' });
        return 'delete';
      case 'held':
        return this.#leaveHeld(envelope, claim, { logger, receives, lastReceive });
      case 'unreadable':
        return this.#endUnreadable(claim.lease, claim.reason, logger);
    }
  }

  async #run(
    envelope: Envelope,
    claim: Claimed,
    { logger, receives, lastReceive, remainingMs }: Delivery & { readonly remainingMs: () => number },
  ): Promise<Verdict> {
    const elapsed = stopwatch();
    const { lease, task } = claim;
    const info = this.#describe(envelope, task);
    logger.info('task claimed', { outcome: 'claimed', attempt: task.attempts, receives });
    if (envelope.mode === 'probe') {
      return this.#probe(info, claim, logger, remainingMs);
    }

    const outcome = await this.#attempt(info, task, logger, remainingMs);
    const before = task.usage ?? NOTHING_USED;
    const usage = addUsage(before, outcome.usage);
    if (outcome.kind === 'retry' && !lastReceive) {
      const written = await this.#parts.store.giveBack(lease, usage);
      if (written.kind === 'lost') {
        return this.#lost(written, outcome.kind, logger);
      }
      logger.warn('the attempt failed, the task goes back to its queue', {
        outcome: 'retry',
        code: outcome.error.code,
        reason: outcome.error.message,
        receives,
        durationMs: Math.round(elapsed()),
      });
      return 'leave';
    }

    const end = endOf(outcome, usage, task.attempts);
    const { written, end: stored } = await this.#finish(lease, end);
    if (written.kind === 'lost') {
      return this.#lost(written, end.status, logger);
    }
    const durationMs = Math.round(elapsed());
    logger.info('task finished', {
      outcome: stored.status,
      ...(stored.error === undefined ? {} : { code: stored.error.code, reason: stored.error.message }),
      durationMs,
      attempt: task.attempts,
      usage,
    });
    this.#measure(envelope, task, stored, durationMs);
    // What kept failing goes on to the dead-letter queue, where it is alarmed and can be sent back from.
    return outcome.kind === 'retry' ? 'leave' : 'delete';
  }

  async #attempt(info: TaskInfo, task: TaskRecord, logger: Logger, remainingMs: () => number): Promise<Outcome> {
    let environment: AgentEnvironment;
    try {
      environment = await this.#parts.environment();
    } catch (error) {
      const code = isAgentError(error) ? error.code : 'worker_error';
      return {
        kind: dispositionOf(error) === 'retry' ? 'retry' : 'failed',
        error: { code, message: messageOf(error) },
        usage: NOTHING_USED,
        score: undefined,
      };
    }
    return attempt(this.#parts.agent, environment, {
      task: info,
      input: task.input,
      logger: agentLogger(logger),
      remainingMs: remainingMs(),
    });
  }

  async #probe(info: TaskInfo, { lease }: Claimed, logger: Logger, remainingMs: () => number): Promise<Verdict> {
    const { agent, environment, clock } = this.#parts;
    const { result, usage, problem } = await probe(agent, environment, {
      task: info,
      logger: agentLogger(logger),
      clock,
      remainingMs: remainingMs(),
    });
    const { written } = await this.#finish(lease, {
      status: problem === undefined ? 'succeeded' : 'failed',
      usage,
      result,
      ...(problem === undefined ? {} : { error: { code: 'probe_failed', message: problem } }),
    });
    if (written.kind === 'lost') {
      return this.#lost(written, 'probe', logger);
    }
    logger.info('probe finished', {
      outcome: problem === undefined ? 'ok' : 'error',
      ...(problem === undefined ? {} : { reason: problem }),
    });
    return 'delete';
  }

  /** Writes the end. A result that DynamoDB does not take (too deep, too large as an item) makes the task fail. */
  async #finish(lease: Lease, end: TaskEnd): Promise<{ readonly written: Written; readonly end: TaskEnd }> {
    try {
      return { written: await this.#parts.store.finish(lease, end), end };
    } catch (error) {
      if (!(error instanceof Error && error.name === 'ValidationException') || end.result === undefined) {
        throw error;
      }
      const { result: _, ...rest } = end;
      const failed: TaskEnd = {
        ...rest,
        status: 'failed',
        error: { code: 'invalid_output', message: `the agent's result cannot be stored: ${error.message}` },
      };
      return { written: await this.#parts.store.finish(lease, failed), end: failed };
    }
  }

  async #leaveHeld(
    envelope: Envelope,
    { expired }: Extract<Claim, { kind: 'held' }>,
    { logger, receives, lastReceive }: Delivery,
  ): Promise<Verdict> {
    if (expired && lastReceive) {
      const error: TaskError = {
        code: 'worker_lost',
        message: `the task's workers went away without a word (out of memory, killed at their timeout, crashed); received ${receives} times`,
      };
      const task = await this.#parts.store.failAbandoned(envelope.taskId, error);
      if (task !== undefined) {
        logger.error('task given up', { outcome: 'failed', code: error.code, reason: error.message });
        if (envelope.mode === 'live') {
          this.#measure(envelope, task, { status: 'failed', usage: task.usage ?? NOTHING_USED, error }, undefined);
        }
        return 'leave';
      }
    }
    logger.info('another worker holds the task, the message is left until that worker has finished or is gone', {
      outcome: 'held',
      receives,
    });
    return 'leave';
  }

  async #endUnreadable(lease: Lease, reason: string, logger: Logger): Promise<Verdict> {
    const error = { code: 'invalid_record', message: `the task's record cannot be read: ${reason}` };
    logger.error('task given up', { outcome: 'failed', code: error.code, reason: error.message });
    await this.#parts.store.finish(lease, { status: 'failed', usage: NOTHING_USED, error });
    return 'delete';
  }

  #lost({ status }: Extract<Written, { kind: 'lost' }>, outcome: string, logger: Logger): Verdict {
    const final = status !== undefined && status !== 'queued' && status !== 'running';
    logger.warn('a late result was not written: the lease has passed to another worker or the task was ended', {
      outcome: 'late',
      lateResults: 1,
      result: outcome,
      status,
    });
    return final ? 'delete' : 'leave';
  }

  #describe(envelope: Envelope, task: TaskRecord): TaskInfo {
    return {
      id: task.id,
      agent: this.#parts.settings.agent,
      release: this.#parts.settings.release,
      lane: envelope.lane,
      priority: envelope.priority,
      mode: envelope.mode,
      user: task.user,
      ...(task.session === undefined ? {} : { session: task.session }),
      attempt: task.attempts,
      createdAt: task.createdAt,
    };
  }

  #measure(envelope: Envelope, task: TaskRecord, end: TaskEnd, durationMs: number | undefined): void {
    const { settings, clock, metrics } = this.#parts;
    emitTaskMetrics(
      {
        id: task.id,
        agent: settings.agent,
        lane: envelope.lane,
        release: settings.release,
        status: end.status,
        durationMs,
        queueWaitMs: (task.startedAt ?? task.createdAt) - task.createdAt,
        usage: end.usage,
        score: end.score,
        finishedAt: clock.now(),
      },
      metrics,
    );
  }
}

interface Delivery {
  readonly logger: Logger;
  readonly receives: number;
  readonly lastReceive: boolean;
}

function endOf(outcome: Outcome, usage: Usage, attempts: number): TaskEnd {
  const score = outcome.score === undefined ? {} : { score: outcome.score };
  switch (outcome.kind) {
    case 'succeeded':
      return { status: 'succeeded', result: outcome.result, usage, ...score };
    case 'retry':
      return {
        status: 'failed',
        error: {
          code: outcome.error.code,
          message: `given up after ${attempts} attempt${attempts === 1 ? '' : 's'}: ${outcome.error.message}`,
        },
        usage,
        ...score,
      };
    default:
      return { status: outcome.kind, error: outcome.error, usage, ...score };
  }
}
