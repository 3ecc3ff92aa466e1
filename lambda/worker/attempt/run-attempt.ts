import {
  AgentProtocolErrorCode,
  type FlagValue,
  type Json,
  MAX_PAYLOAD_BYTES,
  RuntimeErrorCode,
  type TaskError,
  TaskErrorCode,
  type Usage,
} from '../../../lib/contract';
import type { AgentDefinition, AgentLogger, TaskInfo } from '../../runtime/agent';
import { type AttemptEnvironment, TaskContext } from '../../runtime/context';
import {
  type AgentError,
  dispositionOf,
  FatalError,
  isAgentError,
  RetryableError,
  TaskRequeuedError,
  TimedOutError,
} from '../../runtime/errors';
import type { StepCounts, TaskJournal } from '../../runtime/journal/task-journal';
import type { ModelCallStats } from '../../runtime/model/model-call-stats';
import { TranscriptStore } from '../../runtime/model/transcript-store';
import { validate } from '../../runtime/schema';
import { raceAbort } from '../../shared/abort-signals';
import { type Clock, startRealTimer } from '../../shared/clock';
import { messageOf } from '../../shared/errors';
import { captureSegment, redactTrace, type TraceContext } from '../../shared/telemetry/tracing';

/** What an attempt spent: usage is the task's, over all its attempts. */
export interface AttemptTotals {
  readonly usage: Usage;
  readonly score: number | undefined;
  /** What this attempt did, and what it found done by earlier ones. */
  readonly steps: StepCounts;
  readonly models: ModelCallStats;
  /** Flags that the task met, in any of its attempts. */
  readonly flags: Readonly<Record<string, FlagValue>>;
}

/** How one attempt went. */
export type AttemptOutcome =
  | ({ readonly kind: 'succeeded'; readonly result: Json } & AttemptTotals)
  | ({
      /**
       * `retry`: to be tried again. `wait`: as well, and the attempt does not count. `requeued`: another worker goes on
       * at once. `lost`: another worker has the task already, nothing is to be written.
       */
      readonly kind: 'failed' | 'timed_out' | 'retry' | 'wait' | 'cancelled' | 'requeued' | 'lost';
      readonly error: TaskError;
      /** For `retry` and `wait`: milliseconds before which a repetition makes no sense. */
      readonly retryAfterMs?: number;
      /** For `requeued`. */
      readonly requeue?: TaskRequeuedError['reason'];
    } & AttemptTotals);

export interface AttemptOptions {
  readonly task: TaskInfo;
  readonly input: Json | undefined;
  readonly logger: AgentLogger;
  /** Real milliseconds until Lambda ends the function. */
  readonly remainingMs: number;
  readonly clock: Clock;
  /** Aborted by the worker with CancelledError, TaskRequeuedError or LeaseLostError; by the attempt when it has ended. */
  readonly controller?: AbortController | undefined;
  /** Absent for probes: then nothing is journaled. */
  readonly journal?: TaskJournal | undefined;
  /** Milliseconds that earlier attempts ran. */
  readonly ranMs?: number | undefined;
  /** Moment by which the task must have ended, in the cloud's time. */
  readonly deadlineAt?: number | undefined;
  /** The attempt is recorded as a segment under it. */
  readonly trace?: TraceContext | undefined;
}

/** Kept back of the function's time to write the end of the task: a tenth of what remains, at most this. */
const MAX_RESERVE_MS = 3_000;

/** An attempt that ends waits so long, in real milliseconds, for journal writes under way: what is paid for is not lost. */
const SETTLE_MS = 1_000;

/** Outcomes that a trace shows as failures. */
const FAILURES: ReadonlySet<AttemptOutcome['kind']> = new Set(['failed', 'timed_out', 'retry', 'wait']);

/**
 * Runs the agent on one task, once. Never throws: whatever the agent does becomes an outcome.
 *
 * When time or a limit is up the outcome is given at once. Code of the agent that does not listen to the signal may run
 * on until its environment is frozen; everything on its context is refused from then on.
 */
export async function runAttempt<I, O>(
  agent: AgentDefinition<I, O>,
  environment: AttemptEnvironment,
  options: AttemptOptions,
): Promise<AttemptOutcome> {
  const { task } = options;
  const trace = redactTrace(options.trace, (text) => environment.secrets.redact(text));
  return captureSegment(trace, task.agent, (inner) => runOnce(agent, environment, { ...options, trace: inner }), {
    annotations: { task: task.id, release: task.release, lane: task.lane, attempt: task.attempt },
    outcomeOf: (outcome) => ({
      annotations: { outcome: outcome.kind },
      ...('error' in outcome && FAILURES.has(outcome.kind) ? { failure: outcome.error } : {}),
    }),
  });
}

async function runOnce<I, O>(
  agent: AgentDefinition<I, O>,
  environment: AttemptEnvironment,
  options: AttemptOptions,
): Promise<AttemptOutcome> {
  const { task, input, logger, journal, trace, controller = new AbortController() } = options;
  const context = new TaskContext(environment, {
    task,
    logger,
    controller,
    journal,
    trace,
    transcripts: transcriptsOf(agent, environment, options),
  });
  const cancelTimers = keepTime(environment.behavior.limits.maxDurationMs, options, controller);
  const spent = (): AttemptTotals => ({
    usage: context.usage(),
    score: context.qualityScore,
    steps: stepsOf(journal),
    models: context.modelStats,
    flags: context.flags.read,
  });
  try {
    controller.signal.throwIfAborted();
    const checkedInput = await validate(agent.input, input, 'input');
    if (!checkedInput.ok) {
      return {
        kind: 'failed',
        error: { code: TaskErrorCode.INVALID_INPUT, message: checkedInput.message },
        ...spent(),
      };
    }
    // An exceeded limit aborts the signal and so ends the attempt here, whatever the agent makes of the error it is given.
    const answer = await raceAbort(
      async () => agent.run({ ...task, input: checkedInput.value }, context),
      context.signal,
    );
    const result = await acceptResult(agent, answer);
    warnOfUnused(journal, logger);
    return { kind: 'succeeded', result, ...spent() };
  } catch (error) {
    if (!isAgentError(error)) {
      logger.error('the agent threw an error', { component: 'agent', outcome: 'error', error: describeError(error) });
    }
    await settle(journal);
    return outcomeOfError(error, spent(), (text) => environment.secrets.redact(text));
  } finally {
    cancelTimers();
    controller.abort(new FatalError('the task has ended', { code: AgentProtocolErrorCode.ENDED }));
  }
}

/** The outcome of an attempt that ended with the error, be it before the agent ran. */
export function outcomeOfError(error: unknown, spent: AttemptTotals, redact: (text: string) => string): AttemptOutcome {
  const failure = {
    error: { code: isAgentError(error) ? error.code : TaskErrorCode.AGENT_ERROR, message: redact(messageOf(error)) },
    ...spent,
  };
  switch (dispositionOf(error)) {
    case 'retry':
      return { kind: 'retry', ...failure, ...retryAfter(error as RetryableError) };
    case 'wait':
      return { kind: 'wait', ...failure, ...retryAfter(error as RetryableError) };
    case 'requeue':
      return { kind: 'requeued', ...failure, requeue: (error as TaskRequeuedError).reason };
    case 'lose':
      return { kind: 'lost', ...failure };
    case 'time_out':
      return { kind: 'timed_out', ...failure };
    case 'cancel':
      return { kind: 'cancelled', ...failure };
    case 'fail':
      return { kind: 'failed', ...failure };
  }
}

function retryAfter({ retryAfterMs }: RetryableError): { readonly retryAfterMs?: number } {
  return retryAfterMs === undefined ? {} : { retryAfterMs };
}

const stepsOf = (journal: TaskJournal | undefined): StepCounts => journal?.steps ?? { executed: 0, replayed: 0 };

/** Aborts the attempt when the first of its limits is reached. Gives the function that stops the timers. */
function keepTime(
  maxDurationMs: number,
  { remainingMs, ranMs = 0, deadlineAt, clock, journal }: AttemptOptions,
  controller: AbortController,
): () => void {
  const before = ranMs === 0 ? '' : `, over all its attempts`;
  const ownMs = maxDurationMs - ranMs;
  const tooLong = () =>
    controller.abort(
      new TimedOutError(`the task ran longer than its release allows (maxDurationMs = ${maxDurationMs}${before})`),
    );
  const deadlinePassed = () =>
    controller.abort(
      new TimedOutError(`the task did not end by its deadline, ${new Date(deadlineAt ?? 0).toISOString()}`),
    );
  if (ownMs <= 0) {
    tooLong();
  } else if (deadlineAt !== undefined && deadlineAt <= clock.now()) {
    deadlinePassed();
  }
  const timers = new AbortController();
  if (deadlineAt !== undefined) {
    clock.sleep(Math.max(0, deadlineAt - clock.now()), timers.signal).then(deadlinePassed, () => {});
  }
  const availableMs = Math.max(0, remainingMs - Math.min(MAX_RESERVE_MS, remainingMs / 10));
  const cancel =
    ownMs <= availableMs
      ? startRealTimer(Math.max(0, ownMs), tooLong)
      : startRealTimer(availableMs, () => controller.abort(workerEnds(availableMs, journal)));
  return () => {
    cancel();
    timers.abort();
  };
}

/**
 * An attempt that got something done is gone on with by the next one. One that did not would end the same way again: a
 * single step of it takes longer than a worker can run. Unless it was the journal that took so long.
 */
function workerEnds(availableMs: number, journal: TaskJournal | undefined): AgentError {
  if (stepsOf(journal).executed > 0) {
    return new TaskRequeuedError('worker_ends');
  }
  const until = `until its worker had to end, after ${Math.round(availableMs)} ms`;
  return journal?.isWriting
    ? new RetryableError(`the step journal did not take what the task had done ${until}`, {
        code: RuntimeErrorCode.JOURNAL_UNAVAILABLE,
      })
    : new TimedOutError(
        `the task ran ${until}, and finished no step by then: split its work into steps that are shorter`,
      );
}

/** Probes leave no transcripts: nobody asked them anything. */
function transcriptsOf<I, O>(
  { redact }: AgentDefinition<I, O>,
  { transcripts, secrets }: AttemptEnvironment,
  { task, clock, logger }: AttemptOptions,
): TranscriptStore | undefined {
  if (transcripts === undefined || task.mode === 'probe') {
    return undefined;
  }
  return new TranscriptStore({
    payloads: transcripts,
    task,
    redactors: [(text) => secrets.redact(text), ...(redact === undefined ? [] : [redact])],
    clock,
    logger,
  });
}

async function settle(journal: TaskJournal | undefined): Promise<void> {
  if (journal === undefined) {
    return;
  }
  let cancel = () => {};
  const scaledTimeout = new Promise<void>((resolve) => {
    cancel = startRealTimer(SETTLE_MS, resolve);
  });
  await Promise.race([journal.pendingWritesSettled(), scaledTimeout]);
  cancel();
}

function warnOfUnused(journal: TaskJournal | undefined, logger: AgentLogger): void {
  const unused = journal?.unusedEntries() ?? [];
  if (unused.length > 0) {
    logger.warn(
      'the task ended without using steps that an earlier attempt finished: their names or inputs changed between releases, or the agent is not deterministic',
      { component: 'journal', outcome: 'unused', steps: unused },
    );
  }
}

async function acceptResult<I, O>(agent: AgentDefinition<I, O>, answer: O): Promise<Json> {
  let result: unknown = answer;
  if (agent.output !== undefined) {
    const checked = await validate(agent.output, answer, 'result');
    if (!checked.ok) {
      throw new FatalError(`the agent's result does not fit its output schema: ${checked.message}`, {
        code: TaskErrorCode.INVALID_OUTPUT,
      });
    }
    result = checked.value;
  }
  let text: string;
  try {
    text = JSON.stringify(result) ?? 'null';
  } catch (error) {
    throw new FatalError(`the agent's result cannot be written as JSON: ${messageOf(error)}`, {
      code: TaskErrorCode.INVALID_OUTPUT,
    });
  }
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_PAYLOAD_BYTES) {
    throw new FatalError(`the agent's result is ${bytes} bytes of JSON, at most ${MAX_PAYLOAD_BYTES} are kept`, {
      code: TaskErrorCode.RESULT_TOO_LARGE,
    });
  }
  return JSON.parse(text);
}

function describeError(error: unknown): Record<string, string> {
  return error instanceof Error
    ? { name: error.name, message: error.message, ...(error.stack === undefined ? {} : { stack: error.stack }) }
    : { message: String(error) };
}
