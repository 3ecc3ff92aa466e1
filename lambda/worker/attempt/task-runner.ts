import {
  DAY_SECONDS,
  MAX_WAITS,
  type PayloadRef,
  type TaskError,
  TaskErrorCode,
  type TaskRecord,
} from '../../../lib/contract';
import type { TaskInfo } from '../../runtime/agent';
import { FatalError, isAgentError } from '../../runtime/errors';
import { TaskJournal } from '../../runtime/journal/task-journal';
import { NO_USAGE } from '../../runtime/limits/usage';
import { NO_MODEL_CALLS } from '../../runtime/model/model-call-stats';
import { raceAbort } from '../../shared/abort-signals';
import { messageOf } from '../../shared/errors';
import { agentLogger } from '../agent-logger';
import type { ClaimedTask } from '../claimed-task';
import type { FinalState, TaskFinisher } from '../ending/task-finisher';
import { isOwnLimit, type TaskRequeuer } from '../ending/task-requeuer';
import { Heartbeat } from '../lease/heartbeat';
import type { MessageDisposition } from '../message/received-message';
import type { TaskMetrics } from '../task-metrics';
import type { TaskPayloads } from '../task-payloads';
import type { TaskProcessorDeps } from '../task-processor-deps';
import { type AttemptOutcome, type AttemptTotals, outcomeOfError, runAttempt } from './run-attempt';
import { runProbe } from './run-probe';

const NOTHING_SPENT: AttemptTotals = {
  usage: NO_USAGE,
  score: undefined,
  steps: { executed: 0, replayed: 0 },
  models: NO_MODEL_CALLS,
  flags: {},
};

export interface TaskRunnerDeps<I, O> extends Omit<TaskProcessorDeps<I, O>, 'payloads' | 'metrics'> {
  readonly stepPayloads: TaskProcessorDeps<I, O>['payloads'];
  readonly payloads: TaskPayloads;
  readonly metrics: TaskMetrics;
  readonly finisher: TaskFinisher;
  readonly requeuer: TaskRequeuer;
}

/** Runs claimed tasks, and brings each where its attempt says: to its end, or back. */
export class TaskRunner<I, O> {
  readonly #deps: TaskRunnerDeps<I, O>;

  constructor(deps: TaskRunnerDeps<I, O>) {
    this.#deps = deps;
  }

  async run(work: ClaimedTask): Promise<MessageDisposition> {
    const { metrics, finisher: ending, revocation } = this.#deps;
    const { task } = work;
    const controller = new AbortController();
    // Only a candidate is taken back: what the stable lane runs has nowhere else to go on.
    const revoked = async () => task.lane === 'candidate' && (await revocation.revoked());
    const heartbeat = this.#beat(work, controller, revoked);
    const unheard = whenStopped(work.stopSignal, (reason) => controller.abort(reason));
    let outcome: AttemptOutcome;
    let resultRef: PayloadRef | undefined;
    try {
      outcome = await this.#attempt(work, controller, () => heartbeat.isLeaseHeld());
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
    return heartbeat.isLeaseHeld()
      ? this.#settle(work, outcome, resultRef)
      : ending.discardLateResult(work, outcome.kind, undefined, 'error' in outcome ? outcome.error.message : undefined);
  }

  async runProbe(work: ClaimedTask): Promise<MessageDisposition> {
    const { agent, environment, clock, finisher: ending, tracer } = this.#deps;
    const { message: delivery, task, remainingMs, stopSignal: stop = new AbortController().signal } = work;
    const heartbeat = this.#beat(work, new AbortController(), async () => false);
    let report: Awaited<ReturnType<typeof runProbe>> | undefined;
    try {
      const probing = () =>
        runProbe(agent, environment, {
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
      return heartbeat.isLeaseHeld()
        ? this.#settle(work, this.#requeued(stop.reason), undefined)
        : ending.discardLateResult(work, 'probe');
    }
    const { result, usage, problem } = report;
    delivery.logger.info('probe finished', {
      outcome: problem === undefined ? 'ok' : 'error',
      reason: problem,
    });
    if (!heartbeat.isLeaseHeld()) {
      return ending.discardLateResult(work, 'probe');
    }
    return problem === undefined
      ? ending.finish(work, { status: 'succeeded', usage, result })
      : ending.finish(work, {
          status: 'failed',
          usage,
          result,
          error: { code: TaskErrorCode.PROBE_FAILED, message: problem },
        });
  }

  /** Ends a task that is not to be run, with what its earlier attempts used. */
  async finishWithoutRun(work: ClaimedTask, end: Omit<FinalState, 'usage'>): Promise<MessageDisposition> {
    let { usage = NO_USAGE, models, flags = {} } = work.task;
    try {
      ({ usage, models, flags } = await this.#openJournal(work, () => true));
    } catch (error) {
      work.message.logger.warn('what earlier attempts used is known from the record alone', {
        outcome: 'error',
        reason: messageOf(error),
      });
    }
    return this.#deps.finisher.finish(
      work,
      { ...end, usage, flags, ...(models === undefined ? {} : { models }) },
      false,
    );
  }

  #beat(
    { lease, message: delivery }: ClaimedTask,
    controller: AbortController,
    revoked: () => Promise<boolean>,
  ): Heartbeat {
    const { store, times, clock } = this.#deps;
    return new Heartbeat(lease, controller, {
      renew: (current, signal) => store.renew(current, signal),
      extendVisibility: (milliseconds, signal) => delivery.changeVisibility(milliseconds, signal),
      isRevoked: revoked,
      times,
      clock,
      logger: delivery.logger,
    });
  }

  async #attempt(work: ClaimedTask, controller: AbortController, leaseHeld: () => boolean): Promise<AttemptOutcome> {
    const { agent, clock, tracer, payloads, environment, redact } = this.#deps;
    const { message: delivery, task, remainingMs } = work;
    let spent: AttemptTotals = {
      ...NOTHING_SPENT,
      usage: task.usage ?? NO_USAGE,
      models: { ...NO_MODEL_CALLS, answered: task.models ?? {} },
    };
    try {
      const journal = await this.#openJournal(work, leaseHeld);
      spent = {
        ...NOTHING_SPENT,
        usage: journal.usage,
        models: { ...NO_MODEL_CALLS, answered: journal.models },
        flags: journal.flags,
      };
      const shared = await environment();
      const input = await payloads.readInput(task);
      return await runAttempt(agent, shared, {
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
      const failure = isAgentError(error)
        ? error
        : new FatalError(messageOf(error), { code: TaskErrorCode.WORKER_ERROR });
      return outcomeOfError(failure, spent, redact);
    }
  }

  /** A probe keeps no journal: whoever has it next begins anew. */
  #requeued(reason: unknown): AttemptOutcome {
    return outcomeOfError(reason, NOTHING_SPENT, this.#deps.redact);
  }

  #openJournal({ task, lease }: ClaimedTask, leaseHeld: () => boolean): Promise<TaskJournal> {
    const { journal, stepPayloads, settings, clock } = this.#deps;
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
    outcome: Extract<AttemptOutcome, { kind: 'succeeded' }>,
  ): Promise<{ readonly outcome: AttemptOutcome; readonly resultRef: PayloadRef | undefined }> {
    try {
      return { outcome, resultRef: await this.#deps.payloads.putLargeResult(task, outcome.result) };
    } catch (error) {
      const { usage, score, steps, models, flags } = outcome;
      return {
        outcome: outcomeOfError(error, { usage, score, steps, models, flags }, this.#deps.redact),
        resultRef: undefined,
      };
    }
  }

  #settle(work: ClaimedTask, outcome: AttemptOutcome, resultRef: PayloadRef | undefined): Promise<MessageDisposition> {
    const { settings, finisher: ending, requeuer: returning } = this.#deps;
    const { usage, score, models, flags } = outcome;
    const spent = { usage, flags, models: models.answered, score };
    switch (outcome.kind) {
      case 'succeeded': {
        const result = resultRef === undefined ? { result: outcome.result } : { resultRef };
        return ending.finish(work, { status: 'succeeded', ...result, ...spent });
      }
      case 'failed':
      case 'timed_out':
      case 'cancelled':
        return ending.finish(work, { status: outcome.kind, error: outcome.error, ...spent });
      case 'retry':
        return work.countedAttempts >= settings.maxAttempts
          ? ending.finish(work, { ...exhaustedFailure(outcome.error, afterAttempts(work.countedAttempts)), ...spent })
          : returning.retry(work, outcome);
      case 'wait':
        return (work.task.waits ?? 0) >= MAX_WAITS && !isOwnLimit(outcome.error.code)
          ? ending.finish(work, { ...exhaustedFailure(outcome.error, `after it waited ${MAX_WAITS} times`), ...spent })
          : returning.wait(work, outcome);
      case 'requeued':
        return returning.requeue(work, outcome);
      case 'lost':
        return ending.discardLateResult(work, outcome.kind, undefined, outcome.error.message);
    }
  }

  #describe(task: TaskRecord): TaskInfo {
    return {
      id: task.id,
      agent: this.#deps.settings.agent,
      release: this.#deps.settings.release,
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
export function exhaustedFailure({ code, message }: TaskError, when: string) {
  return { status: 'failed', error: { code, message: `given up ${when}: ${message}` }, exhausted: true } as const;
}

export function afterAttempts(attempts: number): string {
  return `after ${attempts} attempt${attempts === 1 ? '' : 's'}`;
}
