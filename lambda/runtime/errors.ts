import { AgentProtocolErrorCode, RuntimeErrorCode, TaskErrorCode } from '../../lib/contract/error-codes';
/**
 * What happens to a task whose attempt ended with the error. `wait`: like `retry`, but the attempt does not count.
 * `requeue`: another worker continues at once from the journal. `lose`: another worker holds the lease.
 */
export type Disposition = 'retry' | 'wait' | 'fail' | 'time_out' | 'cancel' | 'requeue' | 'lose';

/**
 * Brand of the errors below. The bundles of the agent and of the worker may each contain a copy of this module, so errors
 * are recognized by the brand and not by `instanceof`.
 */
const BRAND = Symbol.for('cdk-agent-lanes.error');

/**
 * Base class of the errors that decide what happens to a task. `code` is stable and is stored as `error.code` of the task.
 * The caller sees `message`: it must hold no secrets. Agents throw one of the subclasses.
 */
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
 * Throw it for a transient failure: an unavailable service, a call that timed out. The task returns to its queue and is
 * retried with exponential backoff and jitter. The attempt counts: after the service's `maxAttempts` (3 by default) the task
 * fails with this code and message.
 *
 * The code is `retryable` unless the options set one.
 */
export class RetryableError extends AgentError {
  /** Milliseconds to wait at least before the next attempt. Undefined: the backoff alone decides. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: RetryOptions = {}, disposition: 'retry' | 'wait' = 'retry') {
    super(options.code ?? TaskErrorCode.RETRYABLE, message, disposition, options);
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Options of {@link RetryableError} and {@link ThrottledError}. */
export interface RetryOptions extends ErrorOptions {
  /** Stable code in snake_case that names what was wrong. @default `retryable` or `throttled` */
  readonly code?: string;
  /** Milliseconds to wait at least before the next attempt, for instance from a `Retry-After` header. @default the backoff alone */
  readonly retryAfterMs?: number;
}

/**
 * Throw it when a provider limits its callers. The task waits in its queue and the attempt does not count, so a limit does not
 * use up the task's attempts.
 *
 * The code is `throttled` unless the options set one.
 */
export class ThrottledError extends RetryableError {
  constructor(message: string, options: RetryOptions = {}) {
    super(message, { ...options, code: options.code ?? TaskErrorCode.THROTTLED }, 'wait');
  }
}

/**
 * Throw it when the task cannot succeed in any attempt. The task fails at once with this code and message. Errors of other
 * classes end the task in the same way, with the code `agent_error`.
 *
 * The code is `fatal` unless the options set one.
 */
export class FatalError extends AgentError {
  constructor(message: string, options: ErrorOptions & { readonly code?: string } = {}) {
    super(options.code ?? TaskErrorCode.FATAL, message, 'fail', options);
  }
}

/** A limit of the release is used up; `limit` names it. The task fails with `limit_exceeded` even if the agent catches the error. */
export class LimitExceededError extends AgentError {
  constructor(
    readonly limit: 'maxToolCalls' | 'maxModelCalls' | 'maxSteps' | 'maxTokens' | 'maxCost',
    message: string,
  ) {
    super(TaskErrorCode.LIMIT_EXCEEDED, message, 'fail');
  }
}

/** The task ran longer than its release or its deadline allows, or finished no step before the worker's timeout. */
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

/** Why another worker continues a task: the worker's timeout is near, the release was revoked, or the container must stop. */
export type RequeueReason = 'worker_ends' | 'revoked' | 'worker_stopping';

const REQUEUE_MESSAGES: Readonly<Record<RequeueReason, string>> = {
  worker_ends: 'the timeout of the worker is near',
  revoked: 'the release was revoked while the task ran',
  worker_stopping: 'the container of the worker must stop',
};

/** The attempt ends, and another worker continues from the journal at once. */
export class TaskRequeuedError extends AgentError {
  constructor(readonly reason: RequeueReason) {
    super(AgentProtocolErrorCode.REQUEUED, REQUEUE_MESSAGES[reason], 'requeue');
  }
}

/** Another worker holds the lease, or may hold it. The attempt must not write anything. */
export class LeaseLostError extends AgentError {
  constructor(message: string) {
    super(AgentProtocolErrorCode.LEASE_LOST, message, 'lose');
  }
}

/** Another task of the session wrote its state first. The task is retried and then reads the new state. */
export class SessionConflictError extends RetryableError {
  constructor(session: string) {
    super(`session ${JSON.stringify(session)} was changed by another task while this one ran`, {
      code: RuntimeErrorCode.SESSION_CONFLICT,
    });
  }
}

/** Whether the error is one of this module's, also from another copy of it. */
export function isAgentError(error: unknown): error is AgentError {
  return error instanceof Error && BRAND in error;
}

/** What the error does to the task. An error of any other class fails it. */
export function dispositionOf(error: unknown): Disposition {
  return isAgentError(error) ? error[BRAND] : 'fail';
}
