/** What becomes of a task whose attempt ended with the error. */
export type Disposition = 'retry' | 'fail' | 'time_out';

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
 * The attempt failed for a reason that may pass: a provider's limit, a service away. The task goes back to its queue
 * until it has been received as often as the queue allows, and then fails with this reason.
 *
 * @default code `retryable`
 */
export class RetryableError extends AgentError {
  constructor(message: string, options: ErrorOptions & { readonly code?: string } = {}) {
    super(options.code ?? 'retryable', message, 'retry', options);
  }
}

/**
 * The task cannot succeed however often it runs. It fails at once with this code.
 *
 * @default code `fatal`
 */
export class FatalError extends AgentError {
  constructor(message: string, options: ErrorOptions & { readonly code?: string } = {}) {
    super(options.code ?? 'fatal', message, 'fail', options);
  }
}

/** A limit of the release is used up. The task fails, also when the agent catches this error. */
export class LimitExceededError extends AgentError {
  constructor(
    readonly limit: 'maxToolCalls' | 'maxModelCalls' | 'maxTokens' | 'maxCost',
    message: string,
  ) {
    super('limit_exceeded', message, 'fail');
  }
}

/** The task ran longer than its release allows, or than its worker can. */
export class TimedOutError extends AgentError {
  constructor(message: string) {
    super('timed_out', message, 'time_out');
  }
}

/** Another task of the same session wrote the state first. A repetition reads the new state. */
export class SessionConflictError extends RetryableError {
  constructor(session: string) {
    super(`session ${JSON.stringify(session)} was changed by another task while this one ran`, {
      code: 'session_conflict',
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

/** Message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
