import type { ModelSettings, TaskLimitSettings, Usage } from '../../../lib/contract';
import { LimitExceededError } from '../errors';
import { NO_USAGE } from './usage';

const TOKENS_PER_PRICE = 1_000_000;

/** Usage of the task's earlier attempts. */
export interface EarlierUsage {
  readonly usage: Usage;
  readonly steps: number;
}

/**
 * Counts the usage of a task, over all its attempts, against the limits of its release. After the first exceeded limit every
 * further call throws the same error, so an agent that catches it cannot continue.
 */
export class UsageMeter {
  readonly #limits: TaskLimitSettings;
  readonly #onExceeded: (error: LimitExceededError) => void;
  #usage: Usage;
  #steps: number;
  #exceeded: LimitExceededError | undefined;

  /** @param onExceeded called once, with the first limit that was exceeded */
  constructor(
    limits: TaskLimitSettings,
    onExceeded: (error: LimitExceededError) => void,
    { usage, steps }: EarlierUsage = { usage: NO_USAGE, steps: 0 },
  ) {
    this.#limits = limits;
    this.#onExceeded = onExceeded;
    this.#usage = usage;
    this.#steps = steps;
  }

  get usage(): Usage {
    return this.#usage;
  }

  /** Call it before a step, tool call or model call that is not replayed. @throws LimitExceededError */
  countStep(key: string): void {
    this.#throwIfExceeded();
    if (this.#steps >= this.#limits.maxSteps) {
      this.#exceed('maxSteps', `the task tried to start ${key} after ${this.#steps} steps`);
    }
    this.#steps += 1;
  }

  /** Call it before the tool runs. @throws LimitExceededError */
  countToolCall(tool: string): void {
    this.#throwIfExceeded();
    if (this.#usage.toolCalls >= this.#limits.maxToolCalls) {
      this.#exceed('maxToolCalls', `the task tried to call tool "${tool}" after ${this.#usage.toolCalls} tool calls`);
    }
    this.#usage = { ...this.#usage, toolCalls: this.#usage.toolCalls + 1 };
  }

  /** Call it before the model is called. @throws LimitExceededError */
  countModelCall(): void {
    this.#throwIfExceeded();
    if (this.#usage.modelCalls >= this.#limits.maxModelCalls) {
      this.#exceed('maxModelCalls', `the task tried to call the model after ${this.#usage.modelCalls} model calls`);
    }
    this.#usage = { ...this.#usage, modelCalls: this.#usage.modelCalls + 1 };
  }

  /** US dollars for the tokens of a call, at the prices of the model that answered. */
  costOf(
    { inputPerMillion, outputPerMillion }: ModelSettings['price'],
    inputTokens: number,
    outputTokens: number,
  ): number {
    return (inputTokens * inputPerMillion + outputTokens * outputPerMillion) / TOKENS_PER_PRICE;
  }

  /**
   * Adds the tokens of a call, which are paid even if they exceed a limit. Returns the usage of the call.
   *
   * @throws LimitExceededError
   */
  countTokens(
    price: ModelSettings['price'],
    inputTokens: number,
    outputTokens: number,
  ): Pick<Usage, 'inputTokens' | 'outputTokens' | 'cost'> {
    const cost = this.costOf(price, inputTokens, outputTokens);
    this.#usage = {
      ...this.#usage,
      inputTokens: this.#usage.inputTokens + inputTokens,
      outputTokens: this.#usage.outputTokens + outputTokens,
      cost: this.#usage.cost + cost,
    };
    const tokens = this.#usage.inputTokens + this.#usage.outputTokens;
    if (tokens > this.#limits.maxTokens) {
      this.#exceed('maxTokens', `the task has used ${tokens} tokens`);
    }
    if (this.#usage.cost > this.#limits.maxCost) {
      this.#exceed('maxCost', `the task has cost ${this.#usage.cost.toFixed(6)} US dollars`);
    }
    return { inputTokens, outputTokens, cost };
  }

  #throwIfExceeded(): void {
    if (this.#exceeded !== undefined) {
      throw this.#exceeded;
    }
  }

  #exceed(limit: LimitExceededError['limit'], what: string): never {
    const error = new LimitExceededError(limit, `${what}; its release allows ${limit} = ${this.#limits[limit]}`);
    this.#exceeded = error;
    this.#onExceeded(error);
    throw error;
  }
}
