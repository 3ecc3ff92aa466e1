import type { ModelSettings, TaskLimitSettings, Usage } from '../../../lib/contract';
import { LimitExceededError } from '../errors';
import { NO_USAGE } from './usage';

const TOKENS_PER_PRICE = 1_000_000;

/** What earlier attempts of the task used. */
export interface EarlierUsage {
  readonly usage: Usage;
  readonly steps: number;
}

/**
 * Counts what a task uses, over all its attempts, against the limits of its release. Once a limit is exceeded every further
 * call is refused with the same error, so that an agent that catches it cannot go on.
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

  /** To be called before a step, tool or model call that is not replayed. @throws LimitExceededError */
  countStep(key: string): void {
    this.#refuseAfterLimit();
    if (this.#steps >= this.#limits.maxSteps) {
      this.#exceed('maxSteps', `the task wanted to begin ${key} after ${this.#steps} steps`);
    }
    this.#steps += 1;
  }

  /** To be called before the tool runs. @throws LimitExceededError */
  countToolCall(tool: string): void {
    this.#refuseAfterLimit();
    if (this.#usage.toolCalls >= this.#limits.maxToolCalls) {
      this.#exceed('maxToolCalls', `the task wanted to call tool "${tool}" after ${this.#usage.toolCalls} tool calls`);
    }
    this.#usage = { ...this.#usage, toolCalls: this.#usage.toolCalls + 1 };
  }

  /** To be called before the model is. @throws LimitExceededError */
  countModelCall(): void {
    this.#refuseAfterLimit();
    if (this.#usage.modelCalls >= this.#limits.maxModelCalls) {
      this.#exceed('maxModelCalls', `the task wanted to call the model after ${this.#usage.modelCalls} model calls`);
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
   * Adds the tokens of a call, which are paid whether or not they exceed a limit. Gives what the call used.
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

  #refuseAfterLimit(): void {
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
