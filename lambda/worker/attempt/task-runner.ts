import type { Logger } from '@aws-lambda-powertools/logger';
import {
  DAY_SECONDS,
  MAX_WAITS,
  type PayloadRef,
  type TaskError,
  TaskErrorCode,
  type TaskRecord,
} from '../../../lib/contract';
import type { AgentLogger, TaskInfo } from '../../runtime/agent';
import { FatalError, isAgentError } from '../../runtime/errors';
import { TaskJournal } from '../../runtime/journal/task-journal';
import { NO_USAGE } from '../../runtime/limits/usage';
import { NO_MODEL_CALLS } from '../../runtime/model/model-call-stats';
import { raceAbort } from '../../shared/abort-signals';
import { messageOf } from '../../shared/errors';
import type { ClaimedTask } from '../claimed-task';
import type { FinalState, TaskFinisher } from '../ending/task-finisher';
import { isOwnLimit, type TaskRequeuer } from '../ending/task-requeuer';
import { Heartbeat } from '../lease/heartbeat';
import type { MessageDisposition } from '../message/worker-message';
import type { TaskMetrics } from '../task-metrics';
import type { TaskPayloads } from '../task-payloads';
import type { TaskProcessorDeps } from '../task-processor-deps';
import { type AttemptOutcome, type AttemptTotals, outcomeOfError, runAttempt } from './run-attempt';
import { runProbe } from './run-probe';

const NO_TOTALS: AttemptTotals = {
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

/** Runs claimed tasks. The outcome of the attempt decides whether the task is finished or requeued. */
export class TaskRunner<I, O> {
  readonly #deps: TaskRunnerDeps<I, O>;

  constructor(deps: TaskRunnerDeps<I, O>) {
    this.#deps = deps;
  }

  async run(claimed: ClaimedTask): Promise<MessageDisposition> {
    const { metrics, finisher, revocation } = this.#deps;
    const { task } = claimed;
    const controller = new AbortController();
    // Only the candidate's release can be isRevoked: the tasks of the stable lane have no other lane to move to.
    const isRevoked = async () => task.lane === 'candidate' && (await revocation.revoked());
    const heartbeat = this.#startHeartbeat(claimed, controller, isRevoked);
    const unsubscribe = onStop(claimed.stopSignal, (reason) => controller.abort(reason));
    let outcome: AttemptOutcome;
    let resultRef: PayloadRef | undefined;
    try {
      outcome = await this.#attempt(claimed, controller, () => heartbeat.isLeaseHeld());
      if (outcome.kind === 'succeeded') {
        ({ outcome, resultRef } = await this.#storeLargeResult(task, outcome));
      }
    } finally {
      unsubscribe();
      // Before the outcome is applied: a late heartbeat would extend the visibility timeout that it sets.
      await heartbeat.stop();
    }
    metrics.replayed(task, outcome.steps.replayed);
    metrics.models(task, outcome.models);
    return heartbeat.isLeaseHeld()
      ? this.#applyOutcome(claimed, outcome, resultRef)
      : finisher.discardLateResult(
          claimed,
          outcome.kind,
          undefined,
          'error' in outcome ? outcome.error.message : undefined,
        );
  }

  async runProbe(claimed: ClaimedTask): Promise<MessageDisposition> {
    const { agent, environment, clock, finisher, tracer } = this.#deps;
    const { message, task, remainingMs, stopSignal = new AbortController().signal } = claimed;
    const heartbeat = this.#startHeartbeat(claimed, new AbortController(), async () => false);
    let report: Awaited<ReturnType<typeof runProbe>> | undefined;
    try {
      const run = () =>
        runProbe(agent, environment, {
          task: this.#taskInfo(task),
          logger: agentLogger(message.logger),
          clock,
          remainingMs: remainingMs(),
          trace: tracer.contextOf(message.traceHeader),
        });
      report = await raceAbort(run, stopSignal);
    } catch (error) {
      if (!stopSignal.aborted) {
        throw error;
      }
    } finally {
      await heartbeat.stop();
    }
    if (report === undefined) {
      return heartbeat.isLeaseHeld()
        ? this.#applyOutcome(claimed, this.#requeuedOutcome(stopSignal.reason), undefined)
        : finisher.discardLateResult(claimed, 'probe');
    }
    const { result, usage, problem } = report;
    message.logger.info('probe finished', {
      outcome: problem === undefined ? 'ok' : 'error',
      reason: problem,
    });
    if (!heartbeat.isLeaseHeld()) {
      return finisher.discardLateResult(claimed, 'probe');
    }
    return problem === undefined
      ? finisher.finish(claimed, { status: 'succeeded', usage, result })
      : finisher.finish(claimed, {
          status: 'failed',
          usage,
          result,
          error: { code: TaskErrorCode.PROBE_FAILED, message: problem },
        });
  }

  /** Finishes a claimed task without running it; its usage is that of the earlier attempts. */
  async finishWithoutRun(claimed: ClaimedTask, state: Omit<FinalState, 'usage'>): Promise<MessageDisposition> {
    let { usage = NO_USAGE, models, flags = {} } = claimed.task;
    try {
      ({ usage, models, flags } = await this.#openJournal(claimed, () => true));
    } catch (error) {
      claimed.message.logger.warn('the usage of earlier attempts was read from the record alone', {
        outcome: 'error',
        reason: messageOf(error),
      });
    }
    return this.#deps.finisher.finish(
      claimed,
      { ...state, usage, flags, ...(models === undefined ? {} : { models }) },
      false,
    );
  }

  #startHeartbeat(
    { lease, message }: ClaimedTask,
    controller: AbortController,
    isRevoked: () => Promise<boolean>,
  ): Heartbeat {
    const { store, times, clock } = this.#deps;
    return new Heartbeat(lease, controller, {
      renew: (current, signal) => store.renew(current, signal),
      extendVisibility: (milliseconds, signal) => message.changeVisibility(milliseconds, signal),
      isRevoked,
      times,
      clock,
      logger: message.logger,
    });
  }

  async #attempt(
    claimed: ClaimedTask,
    controller: AbortController,
    isLeaseHeld: () => boolean,
  ): Promise<AttemptOutcome> {
    const { agent, clock, tracer, payloads, environment, redact } = this.#deps;
    const { message, task, remainingMs } = claimed;
    let totals: AttemptTotals = {
      ...NO_TOTALS,
      usage: task.usage ?? NO_USAGE,
      models: { ...NO_MODEL_CALLS, answered: task.models ?? {} },
    };
    try {
      const journal = await this.#openJournal(claimed, isLeaseHeld);
      totals = {
        ...NO_TOTALS,
        usage: journal.usage,
        models: { ...NO_MODEL_CALLS, answered: journal.models },
        flags: journal.flags,
      };
      const shared = await environment();
      const input = await payloads.readInput(task);
      return await runAttempt(agent, shared, {
        task: this.#taskInfo(task),
        input,
        logger: agentLogger(message.logger),
        remainingMs: remainingMs(),
        controller,
        journal,
        clock,
        ranMs: task.ranMs,
        deadlineAt: task.deadlineAt,
        trace: tracer.contextOf(message.traceHeader),
      });
    } catch (error) {
      // A failure of the worker itself would repeat in every attempt.
      const failure = isAgentError(error)
        ? error
        : new FatalError(messageOf(error), { code: TaskErrorCode.WORKER_ERROR });
      return outcomeOfError(failure, totals, redact);
    }
  }

  /** A probe has no journal: the next worker runs it from the start. */
  #requeuedOutcome(reason: unknown): AttemptOutcome {
    return outcomeOfError(reason, NO_TOTALS, this.#deps.redact);
  }

  #openJournal({ task, lease }: ClaimedTask, isLeaseHeld: () => boolean): Promise<TaskJournal> {
    const { journal, stepPayloads, settings, clock } = this.#deps;
    const keptUntil = Math.ceil(clock.now() / 1000) + settings.retentionDays * DAY_SECONDS;
    return TaskJournal.open({
      store: journal,
      payloads: stepPayloads,
      taskId: task.id,
      attempt: task.attempts,
      token: lease.token,
      release: settings.release,
      isLeaseHeld,
      // A failed task can be redriven as long as its record exists.
      expiresAt: Math.max(task.expiresAt, keptUntil),
      recordUsage: task.usage,
      recordModels: task.models,
      clock,
    });
  }

  async #storeLargeResult(
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

  #applyOutcome(
    claimed: ClaimedTask,
    outcome: AttemptOutcome,
    resultRef: PayloadRef | undefined,
  ): Promise<MessageDisposition> {
    const { settings, finisher, requeuer } = this.#deps;
    const { usage, score, models, flags } = outcome;
    const totals = { usage, flags, models: models.answered, score };
    switch (outcome.kind) {
      case 'succeeded': {
        const result = resultRef === undefined ? { result: outcome.result } : { resultRef };
        return finisher.finish(claimed, { status: 'succeeded', ...result, ...totals });
      }
      case 'failed':
      case 'timed_out':
      case 'cancelled':
        return finisher.finish(claimed, { status: outcome.kind, error: outcome.error, ...totals });
      case 'retry':
        return claimed.countedAttempts >= settings.maxAttempts
          ? finisher.finish(claimed, {
              ...exhaustedFailure(outcome.error, afterAttempts(claimed.countedAttempts)),
              ...totals,
            })
          : requeuer.retry(claimed, outcome);
      case 'wait':
        return (claimed.task.waits ?? 0) >= MAX_WAITS && !isOwnLimit(outcome.error.code)
          ? finisher.finish(claimed, {
              ...exhaustedFailure(outcome.error, `after it waited ${MAX_WAITS} times`),
              ...totals,
            })
          : requeuer.wait(claimed, outcome);
      case 'requeued':
        return requeuer.requeue(claimed, outcome);
      case 'lost':
        return finisher.discardLateResult(claimed, outcome.kind, undefined, outcome.error.message);
    }
  }

  #taskInfo(task: TaskRecord): TaskInfo {
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

/** Calls the listener when the container must stop, at once if it already must. Returns the function that unsubscribes. */
function onStop(stop: AbortSignal | undefined, onAbort: (reason: unknown) => void): () => void {
  const listener = () => onAbort(stop?.reason);
  if (stop?.aborted === true) {
    listener();
  }
  stop?.addEventListener('abort', listener, { once: true });
  return () => stop?.removeEventListener('abort', listener);
}

/** The final state of a task that failed and may not be retried. */
export function exhaustedFailure({ code, message }: TaskError, when: string) {
  return { status: 'failed', error: { code, message: `failed ${when}: ${message}` }, exhausted: true } as const;
}

export function afterAttempts(attempts: number): string {
  return `after ${attempts} attempt${attempts === 1 ? '' : 's'}`;
}

/** The logger that agents see, on top of the one that carries the task's fields. */
function agentLogger(logger: Logger): AgentLogger {
  return {
    debug: (message, fields = {}) => logger.debug(message, fields),
    info: (message, fields = {}) => logger.info(message, fields),
    warn: (message, fields = {}) => logger.warn(message, fields),
    error: (message, fields = {}) => logger.error(message, fields),
  };
}
