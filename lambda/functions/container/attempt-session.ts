import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { AgentProtocolErrorCode } from '../../../lib/contract';
import type {
  AttemptResponse,
  BeginStepRequest,
  BeginToolRequest,
  BegunResponse,
  CheckpointRequest,
  FailStepRequest,
  FinishStepRequest,
  FinishStepResponse,
  FlagResponse,
  FlagType,
  ModelRequestBody,
  ModelResponseBody,
  PromptRequest,
  PromptResponse,
  ScoreRequest,
  SecretRequest,
  SecretResponse,
  SessionRequest,
  SessionResponse,
  UsageRequest,
  UsageResponse,
} from '../../../lib/contract/agent-protocol';
import type { StepCall } from '../../runtime/agent';
import type { TaskContext } from '../../runtime/context';
import { FatalError } from '../../runtime/errors';

type JsonValue = FinishStepRequest['value'];

/** The agent named a step that its attempt has not begun, or has ended. */
export class StepUnknownError extends Error {
  override readonly name = 'StepUnknownError';
}

/** A step that the agent's container does. */
interface OpenStep {
  readonly finish: (value: JsonValue) => void;
  readonly fail: (error: Error) => void;
  /** Runs something as a part of the step. */
  readonly enter: <T>(work: () => T) => T;
  /** What the journal has of it in the end. */
  readonly outcome: Promise<unknown>;
}

/**
 * What the context of one attempt offers to an agent that is not in this process. A step is begun by one request and ended
 * by another; in between it is a call of `ctx.step` whose function waits. So counting, limits, journal and replay are
 * those of every other agent.
 */
export class AttemptSession {
  /** Goes with every request of the attempt. */
  readonly token = randomBytes(32).toString('hex');
  readonly #context: TaskContext;
  /** Begun, and not ended, by their ids. */
  readonly #steps = new Map<string, OpenStep>();
  #begun = 0;
  #checkpoint: { readonly reason: CheckpointRequest['reason']; readonly secondsLeft: () => number } | undefined;

  constructor(context: TaskContext) {
    this.#context = context;
  }

  get taskId(): string {
    return this.#context.task.id;
  }

  /** Aborts when the attempt ends. */
  get signal(): AbortSignal {
    return this.#context.signal;
  }

  isValidToken(token: string): boolean {
    const [own, given] = [Buffer.from(this.token), Buffer.from(token)];
    return own.length === given.length && timingSafeEqual(own, given);
  }

  /** The worker must stop: for an agent that asks. */
  announceCheckpoint(reason: CheckpointRequest['reason'], secondsLeft: () => number): void {
    this.#checkpoint = { reason, secondsLeft };
  }

  state(): AttemptResponse {
    const { task } = this.#context;
    const checkpoint = this.#checkpoint;
    return {
      task: { id: task.id, attempt: task.attempt },
      usage: this.#context.usage(),
      ...(checkpoint && { checkpoint: { reason: checkpoint.reason, secondsLeft: checkpoint.secondsLeft() } }),
    };
  }

  beginStep({ name, input, parent }: BeginStepRequest): Promise<BegunResponse> {
    return this.#begin(parent, (run) =>
      this.#context.step(name, (call) => run(call, false), input === undefined ? {} : { input }),
    );
  }

  beginTool({ name, input, sandbox, parent }: BeginToolRequest): Promise<BegunResponse> {
    return this.#begin(parent, (run) =>
      this.#context.tool(
        name,
        input,
        (_, call) => run(call, false),
        sandbox === true ? { sandbox: (_, call) => run(call, true) } : {},
      ),
    );
  }

  async finishStep(id: string, { value }: FinishStepRequest): Promise<FinishStepResponse> {
    const { finish, outcome } = this.#end(id);
    finish(value);
    return { value: (await outcome) as JsonValue };
  }

  async failStep(id: string, { message }: FailStepRequest): Promise<void> {
    const { fail, outcome } = this.#end(id);
    fail(new Error(message));
    // Its name is free when it is over.
    await outcome.catch(() => undefined);
  }

  async generate({ prompt, system, maxTokens, model, parent }: ModelRequestBody): Promise<ModelResponseBody> {
    const { text, stopReason, usage, ...answer } = await this.#within(parent, () =>
      this.#context.model.generate({
        prompt,
        system,
        maxTokens,
        model,
      }),
    );
    const { inputTokens, outputTokens, cost } = usage;
    return { text, stopReason, model: answer.model, usage: { inputTokens, outputTokens, cost } };
  }

  async reportUsage({ parent, ...call }: UsageRequest): Promise<UsageResponse> {
    const cost = await this.#within(parent, () => this.#context.reportUsage(call));
    return { cost, usage: this.#context.usage() };
  }

  prompt(name: string, { variables }: PromptRequest): PromptResponse {
    return { text: this.#context.prompt(name, variables) };
  }

  async session(): Promise<SessionResponse> {
    const { session } = this.#context;
    const state = await session.get();
    return {
      id: session.id,
      ...(state === undefined ? {} : { state: state as JsonValue }),
    };
  }

  async putSession({ state }: SessionRequest): Promise<void> {
    await this.#context.session.put(state);
  }

  async flag(name: string, type: FlagType): Promise<FlagResponse> {
    const { flags } = this.#context;
    switch (type) {
      case 'boolean':
        return { value: await flags.bool(name) };
      case 'number':
        return { value: await flags.number(name) };
      case 'string':
        return { value: await flags.string(name) };
    }
  }

  async secret(name: string, request?: SecretRequest): Promise<SecretResponse> {
    return { value: await this.#context.secret(name, request) };
  }

  score({ value }: ScoreRequest): void {
    this.#context.score(value);
  }

  /**
   * @param start begins the step; what it is given is the step's function
   * @returns once the step's function is called, or the journal has its value
   */
  #begin(
    parent: string | undefined,
    start: (run: (call: StepCall, sandboxed: boolean) => Promise<JsonValue>) => Promise<unknown>,
  ): Promise<BegunResponse> {
    return new Promise((resolve, reject) => {
      const outcome = this.#within(parent, () =>
        start(
          ({ idempotencyKey }, sandboxed) =>
            new Promise<JsonValue>((finish, fail) => {
              this.#begun += 1;
              const id = `s${this.#begun}`;
              const enter = AsyncLocalStorage.snapshot();
              this.#steps.set(id, { finish, fail, enter, outcome });
              resolve({ state: 'begun', step: id, idempotencyKey, sandboxed });
            }),
        ),
      );
      // A step that was begun is resolved by then: only what the journal has, and what cannot be begun, gets here.
      outcome.then((value) => resolve({ state: 'finished', value: (value ?? null) as JsonValue }), reject);
    });
  }

  async #within<T>(id: string | undefined, work: () => Promise<T>): Promise<T> {
    return id === undefined ? work() : this.#step(id).enter(work);
  }

  #step(id: string): OpenStep {
    const step = this.#steps.get(id);
    if (step === undefined) {
      throw new StepUnknownError(`the attempt has no step ${JSON.stringify(id)} under way`);
    }
    return step;
  }

  #end(id: string): OpenStep {
    const step = this.#step(id);
    this.#steps.delete(id);
    return step;
  }
}

/** Attempts that run, by the ids of their tasks. */
export class AttemptSessions {
  readonly #open = new Map<string, AttemptSession>();

  all(): readonly AttemptSession[] {
    return [...this.#open.values()];
  }

  open(door: AttemptSession): void {
    this.#open.set(door.taskId, door);
  }

  /** A later attempt of the task keeps its door. */
  close(door: AttemptSession): void {
    if (this.#open.get(door.taskId) === door) {
      this.#open.delete(door.taskId);
    }
  }

  /**
   * @throws FatalError (`attempt_ended`) for a task whose attempt has ended, or is another one by now: the agent is told so
   * whatever it wants
   */
  authenticate(taskId: string, token: string): AttemptSession {
    const door = this.#open.get(taskId);
    if (door === undefined || !door.isValidToken(token)) {
      throw new FatalError('the attempt has ended, or the token is not its', {
        code: AgentProtocolErrorCode.ATTEMPT_ENDED,
      });
    }
    return door;
  }
}
