import { JournalKeyPrefix, type ModelSettings, RuntimeErrorCode } from '../../../lib/contract';
import { FatalError } from '../errors';
import type { StepRunner } from '../journal/step-runner';
import { NO_USAGE } from '../limits/usage';
import type { UsageMeter } from '../limits/usage-meter';
import type { ModelCallCounter } from './model-call-stats';

/** A call of a model that the agent made without its worker. */
export interface ReportedCall {
  /** Pinned id of a model of the release's chain. */
  readonly model: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

export interface UsageReporterDeps {
  /** The release's chain. */
  readonly models: readonly ModelSettings[];
  readonly attempt: number;
  readonly steps: StepRunner;
  readonly meter: UsageMeter;
  readonly tally: ModelCallCounter;
  /** Aborted when the agent may not go on. */
  readonly controller: AbortController;
  /** Whether another call is allowed, apart from the limits of the release. */
  readonly afterCall: () => Promise<void>;
}

/**
 * Counts, prices and journals calls of models that the agent made itself. Each is paid by the time it is reported, so it
 * is written whatever it exceeds; an attempt that repeats a call pays again, and reports again.
 *
 * A call through the worker is refused when a limit is used up. One that the agent makes itself cannot be: so the attempt
 * ends with the report after which no other may follow.
 */
export class UsageReporter {
  readonly #deps: UsageReporterDeps;
  #reports = 0;

  constructor(deps: UsageReporterDeps) {
    this.#deps = deps;
  }

  /**
   * @returns what the call cost, in US dollars
   * @throws FatalError (`model_unknown`), which ends the attempt: a model without a price is none of the release
   * @throws LimitExceededError when the task's calls, tokens or money are used up; the call counts
   * @throws ThrottledError (`budget_exceeded`) when a budget is: the attempt ends, and the task waits
   */
  async report({ model: id, inputTokens, outputTokens }: ReportedCall): Promise<number> {
    const { models, attempt, steps, meter, tally, afterCall } = this.#deps;
    const model = models.find((each) => each.id === id);
    if (model === undefined) {
      const known = models.map((each) => each.id).join(', ');
      throw this.#end(
        new FatalError(
          `the agent reported a call of model "${id}", which is not in the release's chain; it has ${known}: add it as a fallback, so that it is pinned and priced`,
          { code: RuntimeErrorCode.MODEL_UNKNOWN },
        ),
      );
    }
    const { price } = model;
    // All of it counts, also when the first part exceeds a limit.
    const refusals = [
      refusalOf(() => meter.countModelCall()),
      refusalOf(() => meter.countTokens(price, inputTokens, outputTokens)),
    ].filter((refusal) => refusal !== undefined);
    tally.countAnswer(id);
    if (refusals.length > 0) {
      throw refusals[0];
    }
    this.#reports += 1;
    const key = `${JournalKeyPrefix.USAGE}${attempt}#${this.#reports}`;
    const cost = meter.costOf(price, inputTokens, outputTokens);
    const usage = { ...NO_USAGE, modelCalls: 1, inputTokens, outputTokens, cost };
    await steps.run({ key, kind: 'model', name: id }, async () => ({ value: null, usage, model: id }));
    try {
      await afterCall();
    } catch (error) {
      throw this.#end(error);
    }
    return cost;
  }

  #end(error: unknown): unknown {
    this.#deps.controller.abort(error);
    return error;
  }
}

function refusalOf(count: () => void): unknown {
  try {
    count();
    return undefined;
  } catch (error) {
    return error;
  }
}
