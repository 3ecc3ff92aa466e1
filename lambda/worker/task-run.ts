import { DAY_SECONDS, MAX_WAITS, type PayloadRef, type TaskError, type TaskRecord } from '../../lib/contract';
import type { TaskInfo } from '../runtime/agent';
import { FatalError, isAgentError } from '../runtime/errors';
import { TaskJournal } from '../runtime/journal/journal';
import { NO_MODELS } from '../runtime/model/model-tally';
import { NOTHING_USED } from '../runtime/usage';
import { messageOf } from '../shared/errors';
import { raceAbort } from '../shared/race-abort';
import { agentLogger } from './agent-logger';
import { attempt, failureOutcome, type Outcome, type Spent } from './attempt';
import type { Verdict } from './delivery';
import { Heartbeat } from './heartbeat';
import type { TaskMetrics } from './metrics';
import { probe } from './probe';
import type { End, TaskEnding } from './task-ending';
import type { TaskPayloads } from './task-payloads';
import { isOwnLimit, type TaskRequeuer } from './task-requeuer';
import type { Work } from './work';
import type { WorkerParts } from './worker-parts';

const NOTHING_SPENT: Spent = {
  usage: NOTHING_USED,
  score: undefined,
  steps: { executed: 0, replayed: 0 },
  models: NO_MODELS,
  flags: {},
};

export interface TaskRunParts<I, O> extends Omit<WorkerParts<I, O>, 'payloads' | 'metrics'> {
  readonly stepPayloads: WorkerParts<I, O>['payloads'];
  readonly payloads: TaskPayloads;
  readonly metrics: TaskMetrics;
  readonly ending: TaskEnding;
  readonly returning: TaskRequeuer;
}

/** Runs claimed tasks, and brings each where its attempt says: to its end, or back. */
export class TaskRun<I, O> {
  readonly #parts: TaskRunParts<I, O>;

  constructor(parts: TaskRunParts<I, O>) {
    this.#parts = parts;
  }

  async run(work: Work): Promise<Verdict> {
    const { metrics, ending, revocation } = this.#parts;
    const { task } = work;
    const controller = new AbortController();
    // Only a candidate is taken back: what the stable lane runs has nowhere else to go on.
    const revoked = async () => task.lane === 'candidate' && (await revocation.revoked());
    const heartbeat = this.#beat(work, controller, revoked);
    const unheard = whenStopped(work.stop, (reason) => controller.abort(reason));
    let outcome: Outcome;
    let resultRef: PayloadRef | undefined;
    try {
      outcome = await this.#attempt(work, controller, () => heartbeat.held());
      if (outcome.kind === 'succeeded') {
        ({ outcome, resultRef } = await this.#keepLarge(task, outcome));
      }
    } finally {
      unheard();
      // First, so that no late heartbeat hides the message for longer than is now decided.
      await heartbeat.stop();
    }
    metrics.replayed(task, outcome.steps.replayed);
    metrics.models(task, outcome.models);
    return heartbeat.held()
      ? this.#settle(work, outcome, resultRef)
      : ending.lost(work, outcome.kind, undefined, 'error' in outcome ? outcome.error.message : undefined);
  }

  async probe(work: Work): Promise<Verdict> {
    const { agent, environment, clock, ending, tracer } = this.#parts;
    const { delivery, task, remainingMs, stop = new AbortController().signal } = work;
    const heartbeat = this.#beat(work, new AbortController(), async () => false);
    let report: Awaited<ReturnType<typeof probe>> | undefined;
    try {
      const probing = () =>
        probe(agent, environment, {
          task: this.#describe(task),
          logger: agentLogger(delivery.logger),
          clock,
          remainingMs: remainingMs(),
          trace: tracer.contextOf(delivery.traceHeader),
        });
      report = await raceAbort(probing, stop);
    } catch (error) {
      if (!stop.aborted) {
        throw error;
      }
    } finally {
      await heartbeat.stop();
    }
    if (report === undefined) {
      return heartbeat.held() ? this.#settle(work, this.#requeued(stop.reason), undefined) : ending.lost(work, 'probe');
    }
    const { result, usage, problem } = report;
    delivery.logger.info('probe finished', {
      outcome: problem === undefined ? 'ok' : 'error',
      reason: problem,
    });
    if (!heartbeat.held()) {
      return ending.lost(work, 'probe');
    }
    return problem === undefined
      ? ending.end(work, { status: 'succeeded', usage, result })
      : ending.end(work, { status: 'failed', usage, result, error: { code: 'probe_failed', message: problem } });
  }

  /** Ends a task that is not to be run, with what its earlier attempts used. */
  async endUnrun(work: Work, end: Omit<End, 'usage'>): Promise<Verdict> {
    let { usage = NOTHING_USED, models, flags = {} } = work.task;
    try {
      ({ usage, models, flags } = await this.#openJournal(work, () => true));
    } catch (error) {
      work.delivery.logger.warn('what earlier attempts used is known from the record alone', {
        outcome: 'error',
        reason: messageOf(error),
      });
    }
    return this.#parts.ending.end(work, { ...end, usage, flags, ...(models === undefined ? {} : { models }) }, false);
  }

  #beat({ lease, delivery }: Work, controller: AbortController, revoked: () => Promise<boolean>): Heartbeat {
    const { store, times, clock } = this.#parts;
    return new Heartbeat(lease, controller, {
      renew: (current, signal) => store.renew(current, signal),
      hide: (milliseconds, signal) => delivery.hide(milliseconds, signal),
      revoked,
      times,
      clock,
      logger: delivery.logger,
    });
  }

  async #attempt(work: Work, controller: AbortController, leaseHeld: () => boolean): Promise<Outcome> {
    const { agent, clock, tracer, payloads, environment, redact } = this.#parts;
    const { delivery, task, remainingMs } = work;
    let spent: Spent = {
      ...NOTHING_SPENT,
      usage: task.usage ?? NOTHING_USED,
      models: { ...NO_MODELS, answered: task.models ?? {} },
    };
    try {
      const journal = await this.#openJournal(work, leaseHeld);
      spent = {
        ...NOTHING_SPENT,
        usage: journal.usage,
        models: { ...NO_MODELS, answered: journal.models },
        flags: journal.flags,
      };
      const shared = await environment();
      const input = await payloads.input(task);
      return await attempt(agent, shared, {
        task: this.#describe(task),
        input,
        logger: agentLogger(delivery.logger),
        remainingMs: remainingMs(),
        controller,
        journal,
        clock,
        ranMs: task.ranMs,
        deadlineAt: task.deadlineAt,
        trace: tracer.contextOf(delivery.traceHeader),
      });
    } catch (error) {
      // What the worker itself cannot do would end the same way again.
      const failure = isAgentError(error) ? error : new FatalError(messageOf(error), { code: 'worker_error' });
      return failureOutcome(failure, spent, redact);
    }
  }

  /** A probe keeps no journal: whoever has it next begins anew. */
  #requeued(reason: unknown): Outcome {
    return failureOutcome(reason, NOTHING_SPENT, this.#parts.redact);
  }

  #openJournal({ task, lease }: Work, leaseHeld: () => boolean): Promise<TaskJournal> {
    const { journal, stepPayloads, settings, clock } = this.#parts;
    const keptUntil = Math.ceil(clock.now() / 1000) + settings.retentionDays * DAY_SECONDS;
    return TaskJournal.open({
      store: journal,
      payloads: stepPayloads,
      taskId: task.id,
      attempt: task.attempts,
      token: lease.token,
      release: settings.release,
      leaseHeld,
      // A task that failed may be sent back as long as its record is kept.
      expiresAt: Math.max(task.expiresAt, keptUntil),
      recordUsage: task.usage,
      recordModels: task.models,
      clock,
    });
  }

  async #keepLarge(
    task: TaskRecord,
    outcome: Extract<Outcome, { kind: 'succeeded' }>,
  ): Promise<{ readonly outcome: Outcome; readonly resultRef: PayloadRef | undefined }> {
    try {
      return { outcome, resultRef: await this.#parts.payloads.keepLarge(task, outcome.result) };
    } catch (error) {
      const { usage, score, steps, models, flags } = outcome;
      return {
        outcome: failureOutcome(error, { usage, score, steps, models, flags }, this.#parts.redact),
        resultRef: undefined,
      };
    }
  }

  #settle(work: Work, outcome: Outcome, resultRef: PayloadRef | undefined): Promise<Verdict> {
    const { settings, ending, returning } = this.#parts;
    const { usage, score, models, flags } = outcome;
    const spent = { usage, flags, models: models.answered, score };
    switch (outcome.kind) {
      case 'succeeded': {
        const result = resultRef === undefined ? { result: outcome.result } : { resultRef };
        return ending.end(work, { status: 'succeeded', ...result, ...spent });
      }
      case 'failed':
      case 'timed_out':
      case 'cancelled':
        return ending.end(work, { status: outcome.kind, error: outcome.error, ...spent });
      case 'retry':
        return work.tries >= settings.maxAttempts
          ? ending.end(work, { ...abandoned(outcome.error, afterAttempts(work.tries)), ...spent })
          : returning.retry(work, outcome);
      case 'wait':
        return (work.task.waits ?? 0) >= MAX_WAITS && !isOwnLimit(outcome.error.code)
          ? ending.end(work, { ...abandoned(outcome.error, `after it waited ${MAX_WAITS} times`), ...spent })
          : returning.wait(work, outcome);
      case 'requeued':
        return returning.requeue(work, outcome);
      case 'lost':
        return ending.lost(work, outcome.kind, undefined, outcome.error.message);
    }
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
      session: task.session,
      attempt: task.attempts,
      createdAt: task.createdAt,
    };
  }
}

/** Tells when the container must stop, also if it has been told already. Gives the function that ends listening. */
function whenStopped(stop: AbortSignal | undefined, tell: (reason: unknown) => void): () => void {
  const listener = () => tell(stop?.reason);
  if (stop?.aborted === true) {
    listener();
  }
  stop?.addEventListener('abort', listener, { once: true });
  return () => stop?.removeEventListener('abort', listener);
}

/** The end of a task that was tried often enough. */
export function abandoned({ code, message }: TaskError, when: string) {
  return { status: 'failed', error: { code, message: `given up ${when}: ${message}` }, exhausted: true } as const;
}

export function afterAttempts(attempts: number): string {
  return `after ${attempts} attempt${attempts === 1 ? '' : 's'}`;
}
