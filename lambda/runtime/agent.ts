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
}

export interface ModelAnswer {
  readonly text: string;
  /** Why the model stopped, in the provider's words (`end_turn`, `max_tokens`, `refusal`, …). */
  readonly stopReason: string;
  /** Cost in US dollars by the release's price table. */
  readonly usage: { readonly inputTokens: number; readonly outputTokens: number; readonly cost: number };
}

export interface AgentModel {
  /**
   * Calls the release's model.
   *
   * @throws RetryableError when the provider limits, fails, or does not answer in the release's time
   * @throws FatalError when the provider refuses the request
   * @throws LimitExceededError when the task's calls, tokens or money are used up
   */
  generate(request: ModelRequest): Promise<ModelAnswer>;
}

/** State kept between the tasks of one session. A task without a session reads nothing and writes nothing. */
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

export interface AgentLogger {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

export interface ToolCall {
  /** Aborts when the task must end. */
  readonly signal: AbortSignal;
}

/** Everything that an agent does beyond its own thinking goes through here: counted, timed, limited, logged. */
export interface AgentContext {
  readonly task: TaskInfo;
  /** `live`, `shadow` (withhold side effects), or `probe` (a health check: the answer reaches nobody). */
  readonly mode: Mode;
  /**
   * Runs a tool. The release must hold a JSON schema of that name; the input is checked against it.
   *
   * @throws FatalError for a tool that the release does not know, or an input that does not fit its schema
   * @throws LimitExceededError when the task's tool calls are used up
   */
  tool<I extends Json, O>(name: string, input: I, run: (input: I, call: ToolCall) => O | Promise<O>): Promise<O>;
  readonly model: AgentModel;
  /**
   * Text of a prompt with its `{{placeholders}}` filled in. Values are inserted as they are, placeholders inside of
   * them are not looked at.
   *
   * @throws FatalError for a prompt that the release does not hold or a placeholder without a value
   */
  prompt(name: string, variables?: Readonly<Record<string, string | number | boolean>>): string;
  readonly session: AgentSession;
  /** Value of a secret that the service was given under this name. Read at run time, at most five minutes old. */
  secret(name: string): Promise<string>;
  readonly logger: AgentLogger;
  /** Aborts when the task's time is up, a limit is exceeded, or the task has ended. Pass it on to whatever waits. */
  readonly signal: AbortSignal;
  /**
   * The agent's own judgement of its answer, 0 (bad) to 1 (good); becomes the quality metric. The last call counts.
   *
   * @throws RangeError outside of 0 to 1
   */
  score(value: number): void;
  /** What the task used so far in this attempt. */
  usage(): Usage;
}

export interface AgentProbe<I, O> {
  /** Input of the probe task that is run before a release gets traffic. */
  readonly input: I;
  /** Judges the result. A text says what is wrong with it. @default any result will do */
  readonly check?: (result: O) => string | undefined;
}

export interface AgentOptions<I, O> {
  /** Checks the input of a task; what does not fit fails the task with `invalid_input`. */
  readonly input: Schema<I>;
  /** Checks the result; what does not fit fails the task with `invalid_output`. @default not checked */
  readonly output?: Schema<O>;
  /** How to try the agent as a whole. @default one small call of the model */
  readonly probe?: AgentProbe<NoInfer<I>, NoInfer<O>>;
  /** Works on one task. Runs again from the start if an attempt is repeated. The result must be JSON. */
  readonly run: (task: AgentTask<NoInfer<I>>, ctx: AgentContext) => Promise<O> | O;
}

const AGENT = Symbol.for('cdk-agent-lanes.agent');

export interface AgentDefinition<I = unknown, O = unknown> extends AgentOptions<I, O> {
  readonly [AGENT]: 1;
}

/** Defines an agent. Make it the default export of the module that the worker's `entry` names. */
export function defineAgent<I, O>(options: AgentOptions<I, O>): AgentDefinition<I, O> {
  return { ...options, [AGENT]: 1 };
}

/** Whether the value came out of {@link defineAgent}, of this or another copy of the library. */
export function isAgentDefinition(value: unknown): value is AgentDefinition {
  return typeof value === 'object' && value !== null && AGENT in value;
}
