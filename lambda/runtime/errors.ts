import { AgentProtocolErrorCode, RuntimeErrorCode, TaskErrorCode } from '../../lib/contract';
/**
 * What becomes of a task whose attempt ended with the error. `wait`: like `retry`, but the attempt does not count.
 * `requeue`: another worker goes on at once, from the journal. `lose`: another worker has the task already.
 */
export type Disposition = 'retry' | 'wait' | 'fail' | 'time_out' | 'cancel' | 'requeue' | 'lose';

/**
 * Brand of the errors below. The agent and the worker may each carry a copy of this module in their bundle, so errors
 * are told apart by it and not by their class.
 */
const BRAND = Symbol.for('cdk-agent-lanes.error');

/** An error with a stable code that is written to the task. The message reaches the caller: no secrets in it. */
export class AgentError extends Error {
  readonly [BRAND]: Disposition;

  constructor(
    readonly code: string,
    message: string,
    disposition: Disposition,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = new.target.name;
    this[BRAND] = disposition;
  }
}

/**
 * The attempt failed for a reason that may pass: a service away, a call that timed out. The task goes back to its queue
 * until its attempts are used up, and then fails with this reason.
 *
 * @default code `retryable`
 */
export class RetryableError extends AgentError {
  /** Milliseconds before which a repetition makes no sense, if whoever refused said so. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: RetryOptions = {}, disposition: 'retry' | 'wait' = 'retry') {
    super(options.code ?? TaskErrorCode.RETRYABLE, message, disposition, options);
    this.retryAfterMs = options.retryAfterMs;
  }
}

export interface RetryOptions extends ErrorOptions {
  readonly code?: string;
  readonly retryAfterMs?: number;
}

/**
 * A provider limits its callers. The task waits in its queue, and the attempt does not count: a limit never fails a task
 * that has time left.
 *
 * @default code `throttled`
 */
export class ThrottledError extends RetryableError {
  constructor(message: string, options: RetryOptions = {}) {
    super(message, { ...options, code: options.code ?? TaskErrorCode.THROTTLED }, 'wait');
  }
}

/**
 * The task cannot succeed however often it runs. It fails at once with this code.
 *
 * @default code `fatal`
 */
export class FatalError extends AgentError {
  constructor(message: string, options: ErrorOptions & { readonly code?: string } = {}) {
    super(options.code ?? TaskErrorCode.FATAL, message, 'fail', options);
  }
}

/** A limit of the release is used up. The task fails, also when the agent catches this error. */
export class LimitExceededError extends AgentError {
  constructor(
    readonly limit: 'maxToolCalls' | 'maxModelCalls' | 'maxSteps' | 'maxTokens' | 'maxCost',
    message: string,
  ) {
    super(TaskErrorCode.LIMIT_EXCEEDED, message, 'fail');
  }
}

/** The task ran longer than its release allows, or than its worker can. */
export class TimedOutError extends AgentError {
  constructor(message: string) {
    super(TaskErrorCode.TIMED_OUT, message, 'time_out');
  }
}

/** The caller cancelled the task. */
export class CancelledError extends AgentError {
  constructor() {
    super(TaskErrorCode.CANCELLED, 'the task was cancelled by its caller', 'cancel');
  }
}

/** Why a task goes on with another worker: its time is nearly up, its release was put back, or its container must stop. */
export type RequeueReason = 'worker_ends' | 'revoked' | 'worker_stops';

const REQUEUE_MESSAGES: Readonly<Record<RequeueReason, string>> = {
  worker_ends: 'the worker has to end before the task does',
  revoked: 'the release was revoked while the task ran',
  worker_stops: 'the container of the worker was told to stop',
};

/** The attempt ends here, and another worker goes on from the journal at once. */
export class TaskRequeuedError extends AgentError {
  constructor(readonly reason: RequeueReason) {
    super(AgentProtocolErrorCode.REQUEUED, REQUEUE_MESSAGES[reason], 'requeue');
  }
}

/** The lease is another worker's, or may be. Whatever this attempt still does is not to be written. */
export class LeaseLostError extends AgentError {
  constructor(message: string) {
    super(AgentProtocolErrorCode.LEASE_LOST, message, 'lose');
  }
}

/** Another task of the same session wrote the state first. A repetition reads the new state. */
export class SessionConflictError extends RetryableError {
  constructor(session: string) {
    super(`session ${JSON.stringify(session)} was changed by another task while this one ran`, {
      code: RuntimeErrorCode.SESSION_CONFLICT,
    });
  }
}

/** Tells errors of this module from everything else that an agent may throw. */
export function isAgentError(error: unknown): error is AgentError {
  return error instanceof Error && BRAND in error;
}

/** @default `fail`: an error that does not say otherwise ends the task. */
export function dispositionOf(error: unknown): Disposition {
  return isAgentError(error) ? error[BRAND] : 'fail';
}
