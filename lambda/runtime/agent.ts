import type { Json } from '../../lib/contract/digest';
import type { LaneName, Mode, Priority } from '../../lib/contract/lanes';
import type { Usage } from '../../lib/contract/usage';
import type { Schema } from './schema';

/** A task without its input. */
export interface TaskInfo {
  /** Id of the task, unique within the service. */
  readonly id: string;
  /** Name of the agent. */
  readonly agent: string;
  /** Id of the release that runs the task. */
  readonly release: string;
  /** Lane of the worker: `stable`, `candidate` or `shadow`. */
  readonly lane: LaneName;
  /** Priority that the caller chose. */
  readonly priority: Priority;
  /** See {@link AgentContext.mode}. */
  readonly mode: Mode;
  /** User on whose behalf the task was submitted. */
  readonly user: string;
  /** Session that the task belongs to. Undefined for a task without a session. */
  readonly session?: string;
  /** Number of the attempt, from 1. Attempts that do not count are included. */
  readonly attempt: number;
  /** When the task was accepted, milliseconds since 1970. */
  readonly createdAt: number;
}

/** A task as `run` receives it. */
export interface AgentTask<I> extends TaskInfo {
  /** The input as the agent's input schema returned it. */
  readonly input: I;
}

/** One request to a model. */
export interface ModelRequest {
  /** Text of the user message. */
  readonly prompt: string;
  /** System prompt. @default - no system prompt */
  readonly system?: string;
  /** Most tokens of the answer; at most the release's `maxTokens`. @default - the release's `maxTokens` */
  readonly maxTokens?: number;
  /**
   * Pinned id of the model that is called first; it must be in the release's chain. The other models of the chain are its
   * fallbacks. @default - the release's primary model
   */
  readonly model?: string;
}

/** The answer of a model. */
export interface ModelAnswer {
  /** Text of the answer; empty if the model returned none. */
  readonly text: string;
  /** Why the model stopped, as the provider names it: `end_turn`, `max_tokens`, `refusal`, … */
  readonly stopReason: string;
  /** Pinned id of the model that answered: the release's, or one of its fallbacks. */
  readonly model: string;
  /** Tokens of this call, and its cost in US dollars at the prices of the model that answered. */
  readonly usage: { readonly inputTokens: number; readonly outputTokens: number; readonly cost: number };
}

/** The models of the release: its primary model and its fallbacks. */
export interface AgentModel {
  /**
   * Calls the release's primary model or, if it does not answer, its fallbacks in order. The journal keeps the answer like
   * the value of a step: a later attempt with the same request gets it without a call and without cost.
   *
   * @throws ThrottledError (`model_throttled`, `rate_limited`, `budget_exceeded`) when no model answered and at least one
   * refused for its rate limit or overload, or when a limit of the service is used up: the task waits
   * @throws RetryableError (`model_unavailable`) when no model answered
   * @throws FatalError (`model_refused`, `model_unauthorized`, `model_unknown`) when a model rejected the request or its key,
   * or the chain has no such model; no other model is called
   * @throws LimitExceededError when `maxModelCalls`, `maxTokens` or `maxCost` of the release is used up
   */
  generate(request: ModelRequest): Promise<ModelAnswer>;
}

/**
 * State that the tasks of one session share. A task without a session reads `undefined`, and its writes do nothing. Reads and
 * writes are not steps: a retried attempt reads what the attempt before it wrote. Read before you write, and put a write that
 * must not be repeated into a step.
 */
export interface AgentSession {
  /** Id of the session. Undefined for a task without a session. */
  readonly id: string | undefined;
  /**
   * Reads the state; undefined if there is none or it has expired.
   *
   * @throws FatalError (`session_schema`, `session_unreadable`, `session_refused`) when the state was written under another
   * `stateSchema`, or cannot be read
   * @throws RetryableError (`session_unavailable`) when the sessions table cannot be reached
   */
  get(): Promise<Json | undefined>;
  /**
   * Reads the state and validates it.
   *
   * @throws FatalError (`session_invalid`) when the state does not match the schema; and as `get()`
   */
  get<T>(schema: Schema<T>): Promise<T | undefined>;
  /**
   * Writes the state, at most 350 KB of JSON, if no other task wrote it since `get`. It expires after the service's retention
   * time, counted from the last write.
   *
   * @throws SessionConflictError (`session_conflict`, retryable) when another task wrote since `get`
   * @throws FatalError (`session_not_read`, `session_too_large`, `session_refused`) when `get` was not called before, or the
   * state cannot be written
   * @throws RetryableError (`session_unavailable`) when the sessions table cannot be reached
   */
  put(state: Json): Promise<void>;
}

/**
 * The service's flags, from AppConfig: they change without a new release, and can differ between users. The first read of a
 * flag is a step of the task: later reads, also in later attempts, return the same value. If AppConfig is unavailable, flags
 * return their last known value or their default.
 */
export interface AgentFlags {
  /**
   * Value of a boolean flag.
   *
   * @throws FatalError (`flag_unknown`, `flag_type`) for a flag that the service does not have, or of another type
   * @throws LimitExceededError when `maxSteps` of the release is used up
   */
  bool(name: string): Promise<boolean>;
  /** Value of a number flag. @throws as {@link bool} */
  number(name: string): Promise<number>;
  /** Value of a string flag. @throws as {@link bool} */
  string(name: string): Promise<string>;
}

/** Writes JSON log lines with the task's fields. Values of the service's secrets are redacted. */
export interface AgentLogger {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

/** What the function of a step receives. */
export interface StepCall {
  /** Aborts when the attempt must end. Pass it to every call that accepts a signal. */
  readonly signal: AbortSignal;
  /**
   * Identical in every attempt of the task and unique to the step. Pass it to the system that the step changes (a payment, an
   * order): a worker can be lost after the change and before the journal records the step.
   */
  readonly idempotencyKey: string;
}

/** What the function of a tool receives. */
export type ToolCall = StepCall;

/** Options of `ctx.tool`. */
export interface ToolOptions<I, O> {
  /**
   * Runs instead of the tool in environments that sandbox it (development, unless the environment lists it as a live tool).
   * Return a value of the same shape and change nothing. @default - calls fail there with `tool_sandboxed`
   */
  readonly sandbox?: (input: I, call: ToolCall) => O | Promise<O>;
}

/** Options of `ctx.secret`. */
export interface SecretOptions {
  /**
   * The value that the other side rejected. The secret is read again; if it still has this value, its previous version is
   * returned, because during a rotation the other side may not know the new one yet. Without a previous version the rejected
   * value is returned again.
   *
   * @default - the cached value, if it is at most five minutes old
   */
  readonly rejected?: string;
}

/** Options of `ctx.step`. */
export interface StepOptions {
  /**
   * What the step's value depends on. The task fails with `journal_mismatch` if a later attempt passes another input than the
   * one with which the step was finished. @default - not compared
   */
  readonly input?: Json;
}

/** What an agent uses to reach the outside: every call is counted, limited, traced, logged and, where stated, journaled. */
export interface AgentContext<S = unknown> {
  /** The task that runs. */
  readonly task: TaskInfo;
  /** The agent's settings as its `settings` schema returned them; undefined for an agent without that schema. */
  readonly settings: S;
  /** `live`; `shadow`: make no side effects, the result is discarded; `probe`: a health check, the result is discarded. */
  readonly mode: Mode;
  /**
   * Runs the function once per task. Its value is kept in the task's journal: a later attempt that reaches the same name gets
   * the value without a call of the function. The value must be JSON, at most 4 MB, and is always returned as parsed from
   * JSON (a date becomes a string), also by the first call. Errors are not kept: the step can be tried again.
   *
   * Steps may run concurrently and may be nested. Code outside of steps runs in every attempt, so keep it free of cost and
   * side effects. Order, branches and loops must depend only on the task's input and on values of steps: put the time of day
   * and random numbers into steps too.
   *
   * @param name 1 to 512 bytes, unique within the task and stable over releases: another release may continue the task
   * @throws FatalError for a name that is used twice (`step_name`), a value that is not JSON (`invalid_step`) or too large
   * (`step_too_large`), or another input than the step was finished with (`journal_mismatch`)
   * @throws LimitExceededError when `maxSteps` of the release is used up
   */
  step<T>(name: string, run: (call: StepCall) => T | Promise<T>, options?: StepOptions): Promise<T>;
  /**
   * Runs a tool. The release must hold a JSON schema of this name, and the input is validated against it. The journal keeps
   * the value like that of a step: a later attempt does not run the tool again for the same input.
   *
   * @throws FatalError for a tool that the release does not have (`tool_unknown`), a sandboxed tool without a sandbox
   * (`tool_sandboxed`), or an input that does not match the schema (`tool_input`)
   * @throws LimitExceededError when `maxToolCalls` or `maxSteps` of the release is used up
   */
  tool<I extends Json, O>(
    name: string,
    input: I,
    run: (input: I, call: ToolCall) => O | Promise<O>,
    options?: ToolOptions<NoInfer<I>, NoInfer<O>>,
  ): Promise<O>;
  /** The models of the release. */
  readonly model: AgentModel;
  /**
   * Text of a prompt with its `{{placeholders}}` replaced. Placeholders inside of values are not replaced.
   *
   * @throws FatalError (`prompt_error`) for a prompt that the release does not have, or a placeholder without a value
   */
  prompt(name: string, variables?: Readonly<Record<string, string | number | boolean>>): string;
  /** State of the task's session. */
  readonly session: AgentSession;
  /** The service's flags. */
  readonly flags: AgentFlags;
  /**
   * Value of the service's secret of this name, at most five minutes old. If the other side rejects it (401), call again with
   * `rejected`: it may have been rotated in the meantime.
   *
   * @throws FatalError (`secret_unknown`, `secret_unreadable`) for a name that the service does not have, or a secret that the
   * worker cannot read
   * @throws RetryableError (`secret_unavailable`) when Secrets Manager cannot be reached and no value is cached
   */
  secret(name: string, options?: SecretOptions): Promise<string>;
  /** Logs with the task's fields. */
  readonly logger: AgentLogger;
  /** Aborts at a timeout, when a limit is exceeded, or when the attempt ends. Pass it to every call that accepts a signal. */
  readonly signal: AbortSignal;
  /**
   * Sets the quality metric of the task: from 0 (bad) to 1 (good). The last call counts.
   *
   * @throws RangeError for a value outside of 0 to 1
   */
  score(value: number): void;
  /** Usage of the task so far, over all its attempts. `cost` is in US dollars. */
  usage(): Usage;
}

/** How to check the agent before its release gets traffic. */
export interface AgentProbe<I, O> {
  /** Input of the probe task that is run before a release gets traffic. */
  readonly input: I;
  /** Checks the result; returns what is wrong with it, or undefined. @default - every result passes */
  readonly check?: (result: O) => string | undefined;
}

/** Options of {@link defineAgent}. */
export interface AgentOptions<I, O, S = unknown> {
  /** Validates the input of a task. A task whose input does not match fails with `invalid_input`. */
  readonly input: Schema<I>;
  /** Validates the result. A task whose result does not match fails with `invalid_output`. @default - not validated */
  readonly output?: Schema<O>;
  /**
   * Checks the environment variables of the worker (`environment` of `WorkerSpec.lambda`), in its first invocation: while one
   * is missing or malformed, every invocation fails with one line that names it, and the preflight fails the deployment.
   * Use an object schema that ignores unknown variables, because Lambda sets its own. Read secrets with `ctx.secret`
   * instead. @default - no settings
   */
  readonly settings?: Schema<S>;
  /** How to check the whole agent before its release gets traffic. @default - one small model call */
  readonly probe?: AgentProbe<NoInfer<I>, NoInfer<O>>;
  /**
   * Removes personal data (names, addresses) from the transcripts of model calls. Called with every text of a request and an
   * answer, after secrets were removed. If it throws, the transcript is not written. @default - only secrets are removed
   */
  readonly redact?: (text: string) => string;
  /**
   * Runs one attempt of a task. A retry runs it again from the start, but finished steps, tool calls and model calls return
   * their journaled values. The result must be JSON, at most 4 MB. Errors decide what happens to the task: see
   * `RetryableError`, `ThrottledError` and `FatalError`.
   */
  readonly run: (task: AgentTask<NoInfer<I>>, ctx: AgentContext<NoInfer<S>>) => Promise<O> | O;
}

const AGENT = Symbol.for('cdk-agent-lanes.agent');

/** An agent, made with {@link defineAgent}. */
export interface AgentDefinition<I = unknown, O = unknown, S = unknown> extends AgentOptions<I, O, S> {
  readonly [AGENT]: 1;
}

/** Defines an agent. Make it the default export of the module that the worker's `entry` names. */
export function defineAgent<I, O, S = unknown>(options: AgentOptions<I, O, S>): AgentDefinition<I, O, S> {
  return { ...options, [AGENT]: 1 };
}

/** An agent, or a function that gives it: its module is loaded when it is needed, and a health check does not load it. */
export type AgentSource<I = unknown, O = unknown, S = unknown> =
  | AgentDefinition<I, O, S>
  | (() => AgentDefinition<I, O, S> | Promise<AgentDefinition<I, O, S>>);

/** Whether the value was made with {@link defineAgent}, of this or another copy of the library. */
export function isAgentDefinition(value: unknown): value is AgentDefinition {
  return typeof value === 'object' && value !== null && AGENT in value;
}

/** @throws TypeError for a value that is not an agent, such as the default export of a module without one */
export function requireAgent(value: unknown): asserts value is AgentDefinition {
  if (!isAgentDefinition(value)) {
    throw new TypeError(
      `the worker's entry exports ${typeof value} as default, expected an agent: export default defineAgent({ … })`,
    );
  }
}
