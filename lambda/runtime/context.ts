import type { BehaviorDocument, Json, Usage } from '../../lib/contract';
import type { TraceContext } from '../common/tracing';
import type { AgentContext, AgentLogger, TaskInfo, ToolCall } from './agent';
import type { TaskJournal } from './journal';
import { TaskMeter } from './meter';
import { TaskModel } from './model';
import { renderPrompt } from './prompts';
import type { SecretReader } from './secrets';
import type { SessionStore } from './sessions';
import { callTool, type ToolSchemas } from './tools';

/** What the contexts of all tasks of one environment share. Nothing in it belongs to a task. */
export interface AgentEnvironment {
  readonly behavior: BehaviorDocument;
  readonly tools: ToolSchemas;
  readonly secrets: SecretReader;
  readonly sessions: SessionStore;
}

export interface ContextOptions {
  readonly task: TaskInfo;
  readonly logger: AgentLogger;
  /** Aborted by the context when a limit is exceeded or the journal fails, and by the worker when the time is up. */
  readonly controller: AbortController;
  readonly journal?: TaskJournal | undefined;
  readonly trace?: TraceContext | undefined;
}

/** Context of one attempt, and what the worker wants to know of it afterwards. */
export class TaskContext implements AgentContext {
  readonly task: TaskInfo;
  readonly logger: AgentLogger;
  readonly mode: AgentContext['mode'];
  readonly model: AgentContext['model'];
  readonly session: AgentContext['session'];
  readonly signal: AbortSignal;
  readonly meter: TaskMeter;
  readonly #environment: AgentEnvironment;
  #score: number | undefined;

  constructor(environment: AgentEnvironment, { task, logger, controller }: ContextOptions) {
    this.task = task;
    this.logger = logger;
    const { behavior, secrets, sessions } = environment;
    this.#environment = environment;
    this.mode = task.mode;
    this.signal = controller.signal;
    this.meter = new TaskMeter(behavior.limits, behavior.model.price, (error) => controller.abort(error));
    this.model = new TaskModel({
      settings: behavior.model,
      secrets,
      meter: this.meter,
      logger,
      signal: this.signal,
    });
    this.session = sessions.open(task.session, this.signal);
  }

  /** Quality as the agent last judged it. */
  get quality(): number | undefined {
    return this.#score;
  }

  tool<I extends Json, O>(name: string, input: I, run: (input: I, call: ToolCall) => O | Promise<O>): Promise<O> {
    const { meter, logger, signal } = this;
    return callTool({ schemas: this.#environment.tools, meter, logger, signal }, name, input, run);
  }

  prompt(name: string, variables?: Readonly<Record<string, string | number | boolean>>): string {
    return renderPrompt(this.#environment.behavior.prompts, name, variables);
  }

  async secret(name: string): Promise<string> {
    this.signal.throwIfAborted();
    return this.#environment.secrets.get(name);
  }

  score(value: number): void {
    if (!(value >= 0 && value <= 1)) {
      throw new RangeError(`a score must be from 0 to 1, not ${value}`);
    }
    this.#score = value;
  }

  usage(): Usage {
    return this.meter.usage;
  }
}
