import type { Json, LaneName, Mode, Priority, Usage } from '../../lib/contract';
import type { Schema } from './schema';

/** What a task is, apart from its input. */
export interface TaskInfo {
  readonly id: string;
  /** Name of the agent. */
  readonly agent: string;
  /** Release that runs the task. */
  readonly release: string;
  readonly lane: LaneName;
  readonly priority: Priority;
  readonly mode: Mode;
  /** Whose task it is. */
  readonly user: string;
  /** Conversation that the task belongs to. */
  readonly session?: string;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** When the task was accepted, milliseconds since 1970. */
  readonly createdAt: number;
}

export interface AgentTask<I> extends TaskInfo {
  /** Checked by the agent's input schema. */
  readonly input: I;
}

export interface ModelRequest {
  readonly prompt: string;
  readonly system?: string;
  /** @default the release's; a larger value than the release's is cut to it */
  readonly maxTokens?: number;
  /**
   * Pinned id of the model of the release's chain that is asked first; the others follow in their order. Another id fails
   * the task (`model_unknown`). @default the release's primary model
   */
  readonly model?: string;
}

export interface ModelAnswer {
  readonly text: string;
  /** Why the model stopped, in the provider's words (`end_turn`, `max_tokens`, `refusal`, …). */
  readonly stopReason: string;
  /** Pinned id of the model that answered: the release's, or one of its fallbacks. */
  readonly model: string;
  /** Cost in US dollars by the prices of that model. */
  readonly usage: { readonly inputTokens: number; readonly outputTokens: number; readonly cost: number };
}

export interface AgentModel {
  /**
   * Asks the release's model, or if it does not answer, its fallbacks in order. The answer is kept as the value of a step
   * is: another attempt that asks the same gets it without a call, and without paying for it.
   *
   * @throws ThrottledError when no model answered, and one for its limits or its load; or when the limit that all workers
   * share is used up: the task waits
   * @throws RetryableError when no model answered
   * @throws FatalError when a model refuses the request: no other is asked
   * @throws LimitExceededError when the task's calls, tokens or money are used up
   */
  generate(request: ModelRequest): Promise<ModelAnswer>;
}

/**
 * State kept between the tasks of one session. A task without a session reads nothing and writes nothing. Reading and
 * writing are no steps: an attempt that is repeated after its write reads what it wrote. Read first, and put a write that
 * must not be repeated into a step.
 */
export interface AgentSession {
  /** Undefined for a task without a session. */
  readonly id: string | undefined;
  /**
   * State as the last task of the session left it; undefined if there is none or it has expired.
   *
   * @throws FatalError when the state was written under another state schema, or does not fit the schema given here
   */
  get(): Promise<Json | undefined>;
  get<T>(schema: Schema<T>): Promise<T | undefined>;
  /**
   * Writes the state, provided that nobody wrote since `get`. At most 350 KB of JSON.
   *
   * @throws SessionConflictError (retryable) when somebody did
   */
  put(state: Json): Promise<void>;
}

/**
 * Flags of the service: what is on for whom, changed without a new release. A task keeps what a flag said to it first, over
 * all its attempts; that first read is an entry of its journal, and one of its steps. When AppConfig is away, flags say
 * what they said last, or else their defaults.
 */
export interface AgentFlags {
  /** @throws FatalError for a flag that the service does not have (`flag_unknown`) or of another type (`flag_type`) */
  bool(name: string): Promise<boolean>;
  /** @throws as {@link bool} */
  number(name: string): Promise<number>;
  /** @throws as {@link bool} */
  string(name: string): Promise<string>;
}

export interface AgentLogger {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

/** What a step gets to work with. */
export interface StepCall {
  /** Aborts when the task must end. */
  readonly signal: AbortSignal;
  /**
   * The same in every attempt of the task, and another for everything else. Hand it to whatever the step changes outside
   * (a payment, an order): a worker may die after the change and before the journal knows of it.
   */
  readonly idempotencyKey: string;
}

/** What a tool gets to work with. */
export type ToolCall = StepCall;

export interface ToolOptions<I, O> {
  /**
   * Runs in place of the tool where it is sandboxed (in development, unless it is a live tool there): gives an answer of
   * the same shape and changes nothing. @default the tool is refused there
   */
  readonly sandbox?: (input: I, call: ToolCall) => O | Promise<O>;
}

export interface SecretOptions {
  /**
   * The value that was not accepted. The secret is read again, and if it has still that value, the one before it is given:
   * during a rotation the other side may not know the new one yet. Without a version before it is that value again.
   *
   * @default the value that is known, if it is not too old
   */
  readonly rejected?: string;
}

export interface StepOptions {
  /** What the step's value depends on. An attempt that gives another input than the one that finished the step fails. */
  readonly input?: Json;
}

/** Everything that an agent does beyond its own thinking goes through here: counted, timed, limited, logged. */
export interface AgentContext<S = unknown> {
  readonly task: TaskInfo;
  /** What the agent's `settings` made of the worker's environment; undefined for an agent that names none. */
  readonly settings: S;
  /** `live`, `shadow` (withhold side effects), or `probe` (a health check: the answer reaches nobody). */
  readonly mode: Mode;
  /**
   * Does something once per task. What the function gives is kept in the task's journal, and when another attempt comes
   * to the same name, it gets that value, and the function is not called. The value must be JSON, at most 4 MB; the agent
   * gets it as it comes out of JSON (a date as text), the first time as well as ever after. An error is not kept: the
   * step may be tried again.
   *
   * Steps may run at the same time and within one another. What is done outside of steps is done again by each attempt:
   * keep it to what costs nothing and changes nothing. Order, branches and loops must follow from the task's input and
   * from values of steps; so put the time of day and random numbers into steps as well.
   *
   * @param name unique within the task, and kept over releases: a task may be handed from one release to another
   * @throws FatalError for a name used twice (`step_name`), a value that is not JSON (`invalid_step`) or too large
   * (`step_too_large`), or another input than the one with which the step was finished (`journal_mismatch`)
   * @throws LimitExceededError when the task's steps are used up
   */
  step<T>(name: string, run: (call: StepCall) => T | Promise<T>, options?: StepOptions): Promise<T>;
  /**
   * Runs a tool. The release must hold a JSON schema of that name; the input is checked against it. What the tool gives
   * is kept as that of a step is: the same tool with the same input is not run again by another attempt.
   *
   * @throws FatalError for a tool that the release does not know, or does not run for real and that has no sandbox; or an
   * input that does not fit its schema
   * @throws LimitExceededError when the task's tool calls are used up
   */
  tool<I extends Json, O>(
    name: string,
    input: I,
    run: (input: I, call: ToolCall) => O | Promise<O>,
    options?: ToolOptions<NoInfer<I>, NoInfer<O>>,
  ): Promise<O>;
  readonly model: AgentModel;
  /**
   * Text of a prompt with its `{{placeholders}}` filled in. Values are inserted as they are, placeholders inside of
   * them are not looked at.
   *
   * @throws FatalError for a prompt that the release does not hold or a placeholder without a value
   */
  prompt(name: string, variables?: Readonly<Record<string, string | number | boolean>>): string;
  readonly session: AgentSession;
  readonly flags: AgentFlags;
  /**
   * Value of a secret that the service was given under this name. Read at run time, at most five minutes old. Whoever is
   * answered 401 with it asks once more and says so (`rejected`): it may have been rotated away meanwhile.
   *
   * @throws FatalError for a name that the service was not given, or a secret that the worker cannot read
   * @throws RetryableError when Secrets Manager cannot be reached and the secret was never read
   */
  secret(name: string, options?: SecretOptions): Promise<string>;
  readonly logger: AgentLogger;
  /** Aborts when the task's time is up, a limit is exceeded, or the task has ended. Pass it on to whatever waits. */
  readonly signal: AbortSignal;
  /**
   * The agent's own judgement of its answer, 0 (bad) to 1 (good); becomes the quality metric. The last call counts.
   *
   * @throws RangeError outside of 0 to 1
   */
  score(value: number): void;
  /** What the task used so far, over all its attempts. */
  usage(): Usage;
}

export interface AgentProbe<I, O> {
  /** Input of the probe task that is run before a release gets traffic. */
  readonly input: I;
  /** Judges the result. A text says what is wrong with it. @default any result will do */
  readonly check?: (result: O) => string | undefined;
}

export interface AgentOptions<I, O, S = unknown> {
  /** Checks the input of a task; what does not fit fails the task with `invalid_input`. */
  readonly input: Schema<I>;
  /** Checks the result; what does not fit fails the task with `invalid_output`. @default not checked */
  readonly output?: Schema<O>;
  /**
   * Checks the environment variables of the worker (`environment` of `WorkerSpec.lambda`), at its first invocation: while one
   * is missing or malformed every invocation fails, with one line that names it, and the preflight keeps such a release
   * from its users. Give an object schema that passes over other variables, for Lambda sets some of its own. No secrets
   * here: these are read with `ctx.secret`. @default nothing is expected
   */
  readonly settings?: Schema<S>;
  /** How to try the agent as a whole. @default one small call of the model */
  readonly probe?: AgentProbe<NoInfer<I>, NoInfer<O>>;
  /**
   * Takes what must not be kept (names, addresses) out of the transcripts of model calls. Called with every text of a
   * request and an answer; secrets are taken out already. Should it throw, the transcript is not written.
   */
  readonly redact?: (text: string) => string;
  /**
   * Works on one task. Runs again from the start if an attempt is repeated; steps, tools and model calls that are finished
   * by then are not run again. The result must be JSON.
   */
  readonly run: (task: AgentTask<NoInfer<I>>, ctx: AgentContext<NoInfer<S>>) => Promise<O> | O;
}

const AGENT = Symbol.for('cdk-agent-lanes.agent');

export interface AgentDefinition<I = unknown, O = unknown, S = unknown> extends AgentOptions<I, O, S> {
  readonly [AGENT]: 1;
}

/** Defines an agent. Make it the default export of the module that the worker's `entry` names. */
export function defineAgent<I, O, S = unknown>(options: AgentOptions<I, O, S>): AgentDefinition<I, O, S> {
  return { ...options, [AGENT]: 1 };
}

/** Whether the value came out of {@link defineAgent}, of this or another copy of the library. */
export function isAgentDefinition(value: unknown): value is AgentDefinition {
  return typeof value === 'object' && value !== null && AGENT in value;
}

/** @throws TypeError for anything else, which is what a module without the right default export gives */
export function requireAgent(value: unknown): asserts value is AgentDefinition {
  if (!isAgentDefinition(value)) {
    throw new TypeError(
      `the worker's entry exports ${typeof value} as default, expected an agent: export default defineAgent({ … })`,
    );
  }
}
