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

/** The agent named a step that is not open in its attempt. */
export class StepUnknownError extends Error {
  override readonly name = 'StepUnknownError';
}

/** A step that the agent's container executes. */
interface OpenStep {
  readonly finish: (value: JsonValue) => void;
  readonly fail: (error: Error) => void;
  /** Runs a function inside the step. */
  readonly enter: <T>(work: () => T) => T;
  /** The step's value as the journal recorded it. */
  readonly outcome: Promise<unknown>;
}

/**
 * The context of one attempt for an agent outside of this process. One request begins a step and another one ends it; in between
 * a call of `ctx.step` waits in its function. So counting, limits, journal and replay work as for every other agent.
 */
export class AttemptSession {
  /** Bearer token of the attempt's requests. */
  readonly token = randomBytes(32).toString('hex');
  readonly #context: TaskContext;
  /** Open steps by id. */
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

  /** Announces that the worker must stop, to agents that poll the state. */
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
    // The step's name can be used again after this.
    await outcome.catch(() => undefined);
  }

  async generate({ prompt, system, maxTokens, model, parent }: ModelRequestBody): Promise<ModelResponseBody> {
    const { text, stopReason, usage, ...answer } = await this.#insideStep(parent, () =>
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
    const cost = await this.#insideStep(parent, () => this.#context.reportUsage(call));
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
   * @param start begins the step; its argument is the step's function
   * @returns when the step's function is called or the journal has a value
   */
  #begin(
    parent: string | undefined,
    start: (run: (call: StepCall, sandboxed: boolean) => Promise<JsonValue>) => Promise<unknown>,
  ): Promise<BegunResponse> {
    return new Promise((resolve, reject) => {
      const outcome = this.#insideStep(parent, () =>
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
      // Resolves only for a replayed step and rejects only for one that cannot begin: a begun step is resolved above.
      outcome.then((value) => resolve({ state: 'finished', value: (value ?? null) as JsonValue }), reject);
    });
  }

  async #insideStep<T>(id: string | undefined, work: () => Promise<T>): Promise<T> {
    return id === undefined ? work() : this.#step(id).enter(work);
  }

  #step(id: string): OpenStep {
    const step = this.#steps.get(id);
    if (step === undefined) {
      throw new StepUnknownError(`the attempt has no open step ${JSON.stringify(id)}`);
    }
    return step;
  }

  #end(id: string): OpenStep {
    const step = this.#step(id);
    this.#steps.delete(id);
    return step;
  }
}

/** Sessions of the running attempts, by task id. */
export class AttemptSessions {
  readonly #open = new Map<string, AttemptSession>();

  all(): readonly AttemptSession[] {
    return [...this.#open.values()];
  }

  open(session: AttemptSession): void {
    this.#open.set(session.taskId, session);
  }

  /** Closes the session, unless a later attempt of the task has replaced it. */
  close(session: AttemptSession): void {
    if (this.#open.get(session.taskId) === session) {
      this.#open.delete(session.taskId);
    }
  }

  /**
   * Verifies the session token.
   *
   * @throws FatalError (`attempt_ended`) if the attempt has ended or another attempt runs
   */
  authenticate(taskId: string, token: string): AttemptSession {
    const session = this.#open.get(taskId);
    if (session === undefined || !session.isValidToken(token)) {
      throw new FatalError('the attempt has ended, or the token is not valid for it', {
        code: AgentProtocolErrorCode.ATTEMPT_ENDED,
      });
    }
    return session;
  }
}
