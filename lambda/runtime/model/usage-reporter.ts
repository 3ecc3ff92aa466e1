import { JournalKeyPrefix, type ModelSettings, RuntimeErrorCode } from '../../../lib/contract';
import { FatalError } from '../errors';
import type { StepRunner } from '../journal/step-runner';
import { NO_USAGE } from '../limits/usage';
import type { UsageMeter } from '../limits/usage-meter';
import type { ModelCallCounter } from './model-call-stats';

/** A model call that the agent made itself. */
export interface ReportedCall {
  /** Pinned id of a model of the release's chain. */
  readonly model: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

export interface UsageReporterDeps {
  /** Models of the release's chain. */
  readonly models: readonly ModelSettings[];
  readonly attempt: number;
  readonly steps: StepRunner;
  readonly meter: UsageMeter;
  readonly tally: ModelCallCounter;
  /** Aborted when the attempt must end. */
  readonly controller: AbortController;
  /** Called after each reported call. Throws if a budget forbids another one. */
  readonly afterCall: () => Promise<void>;
}

/**
 * Counts, prices and journals model calls that the agent made itself. A reported call is already paid, so it is recorded even
 * if it exceeds a limit; an attempt that repeats a call pays and reports it again.
 *
 * The worker can reject a call through `ctx.model` when a limit is used up, but not a call that the agent makes itself: so the
 * attempt ends with the first report after which no further call is allowed.
 */
export class UsageReporter {
  readonly #deps: UsageReporterDeps;
  #reports = 0;

  constructor(deps: UsageReporterDeps) {
    this.#deps = deps;
  }

  /**
   * @returns cost of the call in US dollars
   * @throws FatalError (`model_unknown`), which ends the attempt: the release has no price for the model
   * @throws LimitExceededError when the task's model calls, tokens or cost are used up; the call counts
   * @throws ThrottledError (`budget_exceeded`) when a budget is: the attempt ends, and the task waits
   */
  async report({ model: id, inputTokens, outputTokens }: ReportedCall): Promise<number> {
    const { models, attempt, steps, meter, tally, afterCall } = this.#deps;
    const model = models.find((each) => each.id === id);
    if (model === undefined) {
      const known = models.map((each) => each.id).join(', ');
      throw this.#abortWith(
        new FatalError(
          `the agent reported a call of model "${id}", which is not in the release's chain; it has ${known}: add it as a fallback, so that it is pinned and priced`,
          { code: RuntimeErrorCode.MODEL_UNKNOWN },
        ),
      );
    }
    const { price } = model;
    // Both counts are updated, even if the first one exceeds a limit.
    const errors = [
      errorOfCount(() => meter.countModelCall()),
      errorOfCount(() => meter.countTokens(price, inputTokens, outputTokens)),
    ].filter((error) => error !== undefined);
    tally.countAnswer(id);
    if (errors.length > 0) {
      throw errors[0];
    }
    this.#reports += 1;
    const key = `${JournalKeyPrefix.USAGE}${attempt}#${this.#reports}`;
    const cost = meter.costOf(price, inputTokens, outputTokens);
    const usage = { ...NO_USAGE, modelCalls: 1, inputTokens, outputTokens, cost };
    await steps.run({ key, kind: 'model', name: id }, async () => ({ value: null, usage, model: id }));
    try {
      await afterCall();
    } catch (error) {
      throw this.#abortWith(error);
    }
    return cost;
  }

  #abortWith(error: unknown): unknown {
    this.#deps.controller.abort(error);
    return error;
  }
}

function errorOfCount(count: () => void): unknown {
  try {
    count();
    return undefined;
  } catch (error) {
    return error;
  }
}
