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

/** Usage and counts at the end of an attempt. `usage` is the task's, over all its attempts. */
export interface AttemptTotals {
  readonly usage: Usage;
  readonly score: number | undefined;
  /** Steps that this attempt executed, and steps of earlier attempts that it replayed. */
  readonly steps: StepCounts;
  readonly models: ModelCallStats;
  /** Flags that the task read, in any of its attempts. */
  readonly flags: Readonly<Record<string, FlagValue>>;
}

/** Outcome of one attempt. */
export type AttemptOutcome =
  | ({ readonly kind: 'succeeded'; readonly result: Json } & AttemptTotals)
  | ({
      /**
       * `retry`: the task is retried. `wait`: the task is retried and the attempt does not count. `requeued`: another worker
       * continues at once. `lost`: another worker holds the lease, so nothing is written.
       */
      readonly kind: 'failed' | 'timed_out' | 'retry' | 'wait' | 'cancelled' | 'requeued' | 'lost';
      readonly error: TaskError;
      /** For `retry` and `wait`: milliseconds to wait at least before the next attempt. */
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

/** Reserved to write the task's final state: a tenth of the function's remaining time, at most this many milliseconds. */
const MAX_RESERVE_MS = 3_000;

/** An ending attempt waits this many real milliseconds for pending journal writes, so that paid work is not lost. */
const MAX_PENDING_WRITES_MS = 1_000;

/** Outcomes that a trace shows as failures. */
const FAILURES: ReadonlySet<AttemptOutcome['kind']> = new Set(['failed', 'timed_out', 'retry', 'wait']);

/**
 * Runs one attempt of a task. Never throws: whatever the agent does becomes an outcome.
 *
 * When a timeout or a limit is reached the outcome is returned at once. Agent code that ignores the signal may continue
 * until its environment is frozen; from then on every call on its context is rejected.
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
    transcripts: createTranscriptStore(agent, environment, options),
  });
  const cancelTimers = startTimers(environment.behavior.limits.maxDurationMs, options, controller);
  const totals = (): AttemptTotals => ({
    usage: context.usage(),
    score: context.qualityScore,
    steps: stepCountsOf(journal),
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
        ...totals(),
      };
    }
    // An exceeded limit aborts the signal and ends the attempt here, even if the agent catches the error.
    const returned = await raceAbort(
      async () => agent.run({ ...task, input: checkedInput.value }, context),
      context.signal,
    );
    const result = await validateResult(agent, returned);
    warnOfUnusedEntries(journal, logger);
    return { kind: 'succeeded', result, ...totals() };
  } catch (error) {
    if (!isAgentError(error)) {
      logger.error('the agent threw an error', { component: 'agent', outcome: 'error', error: describeError(error) });
    }
    await waitForPendingWrites(journal);
    return outcomeOfError(error, totals(), (text) => environment.secrets.redact(text));
  } finally {
    cancelTimers();
    controller.abort(new FatalError('the attempt has ended', { code: AgentProtocolErrorCode.ENDED }));
  }
}

/** The outcome of an attempt that ended with the error, before or while the agent ran. */
export function outcomeOfError(
  error: unknown,
  totals: AttemptTotals,
  redact: (text: string) => string,
): AttemptOutcome {
  const failure = {
    error: { code: isAgentError(error) ? error.code : TaskErrorCode.AGENT_ERROR, message: redact(messageOf(error)) },
    ...totals,
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

const stepCountsOf = (journal: TaskJournal | undefined): StepCounts => journal?.steps ?? { executed: 0, replayed: 0 };

/** Aborts the attempt at the first of its time limits. Returns the function that stops the timers. */
function startTimers(
  maxDurationMs: number,
  { remainingMs, ranMs = 0, deadlineAt, clock, journal }: AttemptOptions,
  controller: AbortController,
): () => void {
  const scope = ranMs === 0 ? '' : `, over all its attempts`;
  const leftMs = maxDurationMs - ranMs;
  const onMaxDuration = () =>
    controller.abort(
      new TimedOutError(`the task ran longer than its release allows (maxDurationMs = ${maxDurationMs}${scope})`),
    );
  const onDeadline = () =>
    controller.abort(
      new TimedOutError(`the task did not end by its deadline, ${new Date(deadlineAt ?? 0).toISOString()}`),
    );
  if (leftMs <= 0) {
    onMaxDuration();
  } else if (deadlineAt !== undefined && deadlineAt <= clock.now()) {
    onDeadline();
  }
  const timers = new AbortController();
  if (deadlineAt !== undefined) {
    clock.sleep(Math.max(0, deadlineAt - clock.now()), timers.signal).then(onDeadline, () => {});
  }
  const availableMs = Math.max(0, remainingMs - Math.min(MAX_RESERVE_MS, remainingMs / 10));
  const cancel =
    leftMs <= availableMs
      ? startRealTimer(Math.max(0, leftMs), onMaxDuration)
      : startRealTimer(availableMs, () => controller.abort(timeoutError(availableMs, journal)));
  return () => {
    cancel();
    timers.abort();
  };
}

/**
 * An attempt that finished a step is continued by the next worker. One that finished none would time out again, because a
 * single step takes longer than a worker can run; unless the journal was too slow to record it.
 */
function timeoutError(availableMs: number, journal: TaskJournal | undefined): AgentError {
  if (stepCountsOf(journal).executed > 0) {
    return new TaskRequeuedError('worker_ends');
  }
  const timeout = `before the timeout of its worker, after ${Math.round(availableMs)} ms`;
  return journal?.isWriting
    ? new RetryableError(`the step journal did not accept the finished step ${timeout}`, {
        code: RuntimeErrorCode.JOURNAL_UNAVAILABLE,
      })
    : new TimedOutError(`the task finished no step ${timeout}: split its work into shorter steps`);
}

/** Probes write no transcripts. */
function createTranscriptStore<I, O>(
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

async function waitForPendingWrites(journal: TaskJournal | undefined): Promise<void> {
  if (journal === undefined) {
    return;
  }
  let cancel = () => {};
  const timeout = new Promise<void>((resolve) => {
    cancel = startRealTimer(MAX_PENDING_WRITES_MS, resolve);
  });
  await Promise.race([journal.pendingWritesSettled(), timeout]);
  cancel();
}

function warnOfUnusedEntries(journal: TaskJournal | undefined, logger: AgentLogger): void {
  const unused = journal?.unusedEntries() ?? [];
  if (unused.length > 0) {
    logger.warn(
      'the task ended without using steps that an earlier attempt finished: their names or inputs changed between releases, or the agent is not deterministic',
      { component: 'journal', outcome: 'unused', steps: unused },
    );
  }
}

async function validateResult<I, O>(agent: AgentDefinition<I, O>, returned: O): Promise<Json> {
  let result: unknown = returned;
  if (agent.output !== undefined) {
    const checked = await validate(agent.output, returned, 'result');
    if (!checked.ok) {
      throw new FatalError(`the agent's result does not match its output schema: ${checked.message}`, {
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
    throw new FatalError(
      `the agent's result has ${bytes} bytes of JSON, but at most ${MAX_PAYLOAD_BYTES} are accepted`,
      {
        code: TaskErrorCode.RESULT_TOO_LARGE,
      },
    );
  }
  return JSON.parse(text);
}

function describeError(error: unknown): Record<string, string> {
  return error instanceof Error
    ? { name: error.name, message: error.message, ...(error.stack === undefined ? {} : { stack: error.stack }) }
    : { message: String(error) };
}
