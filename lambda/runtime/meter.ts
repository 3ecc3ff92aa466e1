import type { ModelSettings, TaskLimits, Usage } from '../../lib/contract';
import { LimitExceededError } from './errors';
import { NOTHING_USED } from './usage';

const TOKENS_PER_PRICE = 1_000_000;

/**
 * Counts what one attempt of a task uses, against the limits of its release. Once a limit is exceeded every further
 * call is refused with the same error, so that an agent that catches it cannot go on.
 */
export class TaskMeter {
  readonly #limits: TaskLimits;
  readonly #price: ModelSettings['price'];
  readonly #onExceeded: (error: LimitExceededError) => void;
  #usage: Usage = NOTHING_USED;
  #exceeded: LimitExceededError | undefined;

  /** @param onExceeded called once, with the first limit that was exceeded */
  constructor(limits: TaskLimits, price: ModelSettings['price'], onExceeded: (error: LimitExceededError) => void) {
    this.#limits = limits;
    this.#price = price;
    this.#onExceeded = onExceeded;
  }

  get usage(): Usage {
    return this.#usage;
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

  /** Prices and adds the tokens of a call, which are paid whether or not they exceed a limit. @throws LimitExceededError */
  countTokens(inputTokens: number, outputTokens: number): { readonly cost: number } {
    const cost =
      (inputTokens * this.#price.inputPerMillion + outputTokens * this.#price.outputPerMillion) / TOKENS_PER_PRICE;
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
    return { cost };
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
