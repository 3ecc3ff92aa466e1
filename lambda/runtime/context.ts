import { setMaxListeners } from 'node:events';
import type { BehaviorDocument, Json, Usage } from '../../lib/contract';
import { throwIfAborted } from '../shared/abort-signals';
import type { PayloadStore } from '../shared/tasks/payload-store';
import type { TraceContext } from '../shared/telemetry/tracing';
import type {
  AgentContext,
  AgentLogger,
  SecretOptions,
  StepCall,
  StepOptions,
  TaskInfo,
  ToolCall,
  ToolOptions,
} from './agent';
import type { AppConfigFlags } from './flags/appconfig-flags';
import { TaskFlags } from './flags/task-flags';
import { digestOfInput } from './journal/step-input';
import { StepRunner } from './journal/step-runner';
import type { TaskJournal } from './journal/task-journal';
import type { BudgetGuard } from './limits/budget-guard';
import { UsageMeter } from './limits/usage-meter';
import { ModelCallCounter, type ModelCallStats } from './model/model-call-stats';
import type { ModelChain } from './model/model-chain';
import { TaskModel } from './model/task-model';
import type { TranscriptStore } from './model/transcript-store';
import { type ReportedCall, UsageReporter } from './model/usage-reporter';
import { renderPrompt } from './prompts';
import type { Validated } from './schema';
import type { SecretReader } from './secrets';
import type { SessionStore } from './sessions';
import { callTool, type ToolSchemas } from './tools';

/** What the contexts of all tasks of one execution environment share. Nothing in it belongs to a task. */
export interface AttemptEnvironment {
  readonly behavior: BehaviorDocument;
  readonly tools: ToolSchemas;
  readonly secrets: SecretReader;
  readonly models: ModelChain;
  readonly sessions: SessionStore;
  /** Absent: the service has no budgets beyond the limits of a task. */
  readonly budgets?: BudgetGuard | undefined;
  /** Absent: the service has no flags. */
  readonly flags?: Pick<AppConfigFlags, 'names' | 'value'> | undefined;
  /** The agent's validated settings. Absent: the agent has none. Only a probe runs with invalid settings. */
  readonly settings?: Validated<unknown>;
  /** Where transcripts of model calls are written. Absent: none are. */
  readonly transcripts?: PayloadStore | undefined;
}

export interface TaskContextDeps {
  readonly task: TaskInfo;
  readonly logger: AgentLogger;
  /** Aborted by the context when a limit is exceeded or the journal fails, and by the worker at a timeout. */
  readonly controller: AbortController;
  readonly journal?: TaskJournal | undefined;
  readonly trace?: TraceContext | undefined;
  readonly transcripts?: Pick<TranscriptStore, 'write'> | undefined;
}

/** Context of one attempt, with the counts that the worker reads afterwards. */
export class TaskContext implements AgentContext {
  readonly task: TaskInfo;
  readonly settings: unknown;
  readonly logger: AgentLogger;
  readonly mode: AgentContext['mode'];
  readonly model: AgentContext['model'];
  readonly session: AgentContext['session'];
  readonly flags: TaskFlags;
  readonly signal: AbortSignal;
  readonly meter: UsageMeter;
  readonly #environment: AttemptEnvironment;
  readonly #steps: StepRunner;
  readonly #trace: TraceContext | undefined;
  readonly #modelCalls: ModelCallCounter;
  readonly #usageReporter: UsageReporter;
  #score: number | undefined;

  constructor(
    environment: AttemptEnvironment,
    { task, logger, controller, journal, trace, transcripts }: TaskContextDeps,
  ) {
    const { behavior, models, sessions } = environment;
    const { signal } = controller;
    this.#environment = environment;
    this.#trace = trace;
    this.task = task;
    this.settings = environment.settings?.ok === true ? environment.settings.value : undefined;
    this.logger = logger;
    this.mode = task.mode;
    this.signal = signal;
    // Every open call of the agent adds a listener, in any number.
    setMaxListeners(0, signal);
    const meter = new UsageMeter(
      behavior.limits,
      (error) => controller.abort(error),
      journal && { usage: journal.usage, steps: journal.finishedEarlier },
    );
    this.meter = meter;
    const costBefore = meter.usage.cost;
    const steps = new StepRunner({
      taskId: task.id,
      attempt: task.attempt,
      release: task.release,
      journal,
      meter,
      logger,
      controller,
    });
    this.#steps = steps;
    this.#modelCalls = new ModelCallCounter(journal?.models);
    const checkBudgets = async () =>
      environment.budgets?.check(task.user, task.mode, meter.usage.cost - costBefore, logger);
    this.model = new TaskModel({
      chain: models,
      primary: behavior.model.id,
      beforeCall: checkBudgets,
      mode: task.mode,
      steps,
      meter,
      tally: this.#modelCalls,
      logger,
      signal,
      trace,
      transcripts,
    });
    this.#usageReporter = new UsageReporter({
      models: [behavior.model, ...behavior.fallbacks],
      attempt: task.attempt,
      steps,
      meter,
      tally: this.#modelCalls,
      controller,
      afterCall: checkBudgets,
    });
    this.session = sessions.open(task.session, signal);
    this.flags = new TaskFlags({ reader: environment.flags, user: task.user, steps, journal, signal });
  }

  /** The last score that the agent set. */
  get qualityScore(): number | undefined {
    return this.#score;
  }

  /** Models that answered, fallbacks and opened circuit breakers. */
  get modelStats(): ModelCallStats {
    return this.#modelCalls.stats;
  }

  async step<T>(name: string, run: (call: StepCall) => T | Promise<T>, { input }: StepOptions = {}): Promise<T> {
    await throwIfAborted(this.signal);
    const key = this.#steps.keyOfName(name);
    const inputDigest = input === undefined ? undefined : digestOfInput(`step "${name}"`, input);
    return this.#steps.run({ key, kind: 'step', name, inputDigest }, async (call) => ({
      value: await run(call),
    }));
  }

  tool<I extends Json, O>(
    name: string,
    input: I,
    run: (input: I, call: ToolCall) => O | Promise<O>,
    options?: ToolOptions<I, O>,
  ): Promise<O> {
    const { meter, logger, signal } = this;
    const { tools: schemas, behavior } = this.#environment;
    const sandboxed = behavior.sandboxedTools;
    const deps = { schemas, sandboxed, steps: this.#steps, meter, logger, signal, trace: this.#trace };
    return callTool(deps, name, input, run, options);
  }

  prompt(name: string, variables?: Readonly<Record<string, string | number | boolean>>): string {
    return renderPrompt(this.#environment.behavior.prompts, name, variables);
  }

  async secret(name: string, { rejected }: SecretOptions = {}): Promise<string> {
    await throwIfAborted(this.signal);
    const { secrets } = this.#environment;
    return rejected === undefined ? secrets.get(name) : secrets.alternativeTo(name, rejected);
  }

  score(value: number): void {
    if (!(value >= 0 && value <= 1)) {
      throw new RangeError(`a score must be from 0 to 1, got ${value}`);
    }
    this.#score = value;
  }

  usage(): Usage {
    return this.meter.usage;
  }

  /**
   * Counts a model call that an agent in a container of its own made itself. Agents in this process use `model` instead.
   *
   * @returns cost of the call in US dollars
   * @throws as {@link UsageReporter.report}
   */
  reportUsage(call: ReportedCall): Promise<number> {
    return this.#usageReporter.report(call);
  }
}
