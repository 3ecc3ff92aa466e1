import {
  type BehaviorDocument,
  type Mode,
  type ModelPolicySettings,
  type ModelSettings,
  RuntimeErrorCode,
} from '../../../lib/contract';
import { raceAbort } from '../../shared/abort-signals';
import { type Clock, startRealTimer, stopwatch } from '../../shared/clock';
import { captureSubsegment, type TraceContext } from '../../shared/telemetry/tracing';
import type { AgentLogger, ModelRequest } from '../agent';
import { FatalError, RetryableError, ThrottledError } from '../errors';
import { estimateTokens, type RateLease, type RateLimiter, UNLIMITED } from '../rate-limiter/rate-limiter';
import type { SecretReader } from '../secrets';
import { CircuitBreaker } from './circuit-breaker';
import { callModel, capMaxTokens, type ModelEndpoint } from './model-call';
import { type ModelProviders, modelProviders } from './model-providers';
import { type ProviderAnswer, ProviderError } from './provider';

export interface ModelChainDeps {
  readonly behavior: Pick<BehaviorDocument, 'model' | 'fallbacks' | 'modelPolicy'>;
  readonly secrets: SecretReader;
  /** The breakers' time. */
  readonly clock: Clock;
  /** Asked before each call. @default nothing is limited */
  readonly limiter?: RateLimiter | undefined;
  /** From 0 up to 1. @default Math.random */
  readonly random?: () => number;
  /** @default those that there are */
  readonly providers?: Partial<ModelProviders>;
}

/** One call to one model, when it is over. */
export interface ModelCall {
  readonly model: ModelSettings;
  readonly result: ProviderAnswer | ProviderError;
}

/** One request, and who wants to know of it. */
export interface ChainRequest {
  readonly request: ModelRequest;
  readonly mode: Mode;
  readonly signal: AbortSignal;
  readonly logger: AgentLogger;
  readonly trace?: TraceContext | undefined;
  /** Told of every call, before anything follows from it. */
  readonly onCall: (call: ModelCall) => Promise<void>;
  /** A model was left out from now on. */
  readonly onBreakerOpened: () => void;
}

export interface ChainAnswer extends ProviderAnswer {
  readonly model: ModelSettings;
  /** Another model than the primary, or than the one that was asked for, answered. */
  readonly fallback: boolean;
}

interface Link extends ModelEndpoint {
  readonly breaker: CircuitBreaker;
}

interface Failure {
  readonly model: ModelSettings;
  readonly error: ProviderError;
}

/**
 * The models of a release, in the order in which they are asked, once per environment: all its tasks learn from each
 * other which model is away. A model that does not answer is asked again a few times, then comes the next one. What a
 * model refuses is not asked of another: the request is at fault, and a second opinion would hide it.
 */
export class ModelChain {
  readonly #links: readonly Link[];
  readonly #policy: ModelPolicySettings;
  readonly #limiter: RateLimiter;
  readonly #random: () => number;

  constructor({ behavior, secrets, clock, limiter, random = Math.random, providers }: ModelChainDeps) {
    const { model, fallbacks, modelPolicy } = behavior;
    const known = { ...modelProviders(), ...providers };
    this.#links = [model, ...fallbacks].map((settings) => ({
      settings,
      provider: known[settings.provider],
      secrets,
      breaker: new CircuitBreaker(modelPolicy, clock),
    }));
    this.#policy = modelPolicy;
    this.#limiter = limiter ?? UNLIMITED;
    this.#random = random;
  }

  /**
   * @throws ThrottledError when no model answered, and one of them for a limit; or when the shared limit is used up
   * @throws RetryableError when no model answered
   * @throws FatalError when a model refused the request or its key, or the chain has no such model
   */
  async generate(asking: ChainRequest): Promise<ChainAnswer> {
    const failures: Failure[] = [];
    for (const [index, link] of this.#order(asking.request.model).entries()) {
      const answer = await this.#askOne(link, index > 0, asking, failures);
      if (answer !== undefined) {
        return { ...answer, model: link.settings, fallback: index > 0 };
      }
    }
    throw this.#unanswered(failures);
  }

  /** The chain, the model that was asked for first. */
  #order(wanted: string | undefined): readonly Link[] {
    if (wanted === undefined) {
      return this.#links;
    }
    const first = this.#links.find(({ settings }) => settings.id === wanted);
    if (first === undefined) {
      const names = this.#links.map(({ settings }) => settings.id).join(', ');
      throw new FatalError(
        `the release has no model "${wanted}" in its chain; it has ${names}: add it as a fallback, or ask for one of them`,
        { code: RuntimeErrorCode.MODEL_UNKNOWN },
      );
    }
    return [first, ...this.#links.filter((link) => link !== first)];
  }

  /** @returns undefined when the next model is to be asked */
  async #askOne(
    link: Link,
    fallback: boolean,
    asking: ChainRequest,
    failures: Failure[],
  ): Promise<ProviderAnswer | undefined> {
    const { settings, breaker } = link;
    const { logger, onBreakerOpened, signal } = asking;
    for (let call = 1; ; call += 1) {
      const passage = breaker.tryAcquire();
      if (passage === undefined) {
        return undefined;
      }
      try {
        const answer = await this.#call(link, fallback, asking);
        if (passage.succeeded()) {
          logger.info('the model is back', { ...described(settings), outcome: 'breaker_closed' });
        }
        return answer;
      } catch (error) {
        if (!(error instanceof ProviderError)) {
          throw error;
        }
        if (error.kind === 'refused' || error.kind === 'unauthorized') {
          passage.succeeded();
          throw new FatalError(error.message, { code: `model_${error.kind}`, cause: error });
        }
        failures.push({ model: settings, error });
        if (passage.failed()) {
          onBreakerOpened();
          logger.warn('the model failed once too often and is left out for a while', {
            ...described(settings),
            outcome: 'breaker_opened',
            openMs: this.#policy.breakerOpenMs,
          });
        }
        if (call >= this.#policy.attempts || (error.retryAfterMs ?? 0) > this.#policy.backoffLongestMs) {
          return undefined;
        }
        await this.#pause(call, error.retryAfterMs, signal);
      } finally {
        passage.released();
      }
    }
  }

  async #call(link: Link, fallback: boolean, asking: ChainRequest): Promise<ProviderAnswer> {
    const { settings } = link;
    const { request, mode, signal, logger, trace, onCall } = asking;
    const { prompt, system = '', maxTokens } = capMaxTokens(settings, request);
    const estimate = { requests: 1, tokens: estimateTokens(`${system}${prompt}`, maxTokens) } as const;
    const lease = await this.#limiter.acquire(settings.provider, estimate, mode, signal);
    const elapsed = stopwatch();
    try {
      const answer = await captureSubsegment(
        trace,
        settings.provider,
        () => raceAbort(() => callModel(link, request, { signal, logger }), signal),
        { namespace: 'remote', annotations: { model: settings.id, fallback } },
      );
      const { text: _, ...rest } = answer;
      lease.settle(answer.inputTokens + answer.outputTokens);
      logger.info('model answered', {
        ...described(settings),
        outcome: 'ok',
        ...(fallback ? { fallback } : {}),
        durationMs: Math.round(elapsed()),
        ...rest,
      });
      await onCall({ model: settings, result: answer });
      return answer;
    } catch (error) {
      if (!(error instanceof ProviderError)) {
        throw error;
      }
      settle(lease, error);
      logger.warn('model did not answer', {
        ...described(settings),
        outcome: error.kind,
        status: error.status,
        durationMs: Math.round(elapsed()),
        reason: error.message,
      });
      await onCall({ model: settings, result: error });
      throw error;
    }
  }

  /** Full jitter in real time: the task's function is paid for while it waits. */
  async #pause(call: number, retryAfterMs: number | undefined, signal: AbortSignal): Promise<void> {
    const { backoffFirstMs, backoffLongestMs } = this.#policy;
    const bound = Math.min(backoffLongestMs, backoffFirstMs * 2 ** (call - 1));
    let cancel = () => {};
    const over = () =>
      new Promise<void>((resolve) => {
        cancel = startRealTimer((retryAfterMs ?? 0) + this.#random() * bound, resolve);
      });
    await raceAbort(over, signal).finally(() => cancel());
  }

  /** An attempt in which nobody could even be asked is none: like a limit, it does not count against the task. */
  #unanswered(failures: readonly Failure[]): Error {
    const waits = [
      ...failures.flatMap(({ error: { retryAfterMs } }) => (retryAfterMs === undefined ? [] : [retryAfterMs])),
      ...this.#links.map(({ breaker }) => Math.ceil(breaker.waitMs)).filter((milliseconds) => milliseconds > 0),
    ];
    const retryAfter = waits.length === 0 ? {} : { retryAfterMs: Math.min(...waits) };
    const last = failures.at(-1);
    if (last === undefined) {
      const names = this.#links.map(({ settings }) => settings.id).join(', ');
      return new RetryableError(
        `no model was asked: ${names} failed too often of late and ${this.#links.length === 1 ? 'is' : 'are'} left out for a while`,
        { code: RuntimeErrorCode.MODEL_UNAVAILABLE, ...retryAfter },
        'wait',
      );
    }
    const message =
      this.#links.length === 1
        ? last.error.message
        : `no model of the chain answered: ${lastOfEach(failures)
            .map(({ model, error }) => `${model.id}: ${error.message}`)
            .join('; ')}`;
    const throttled = failures.find(({ error }) => error.kind === 'throttled');
    return throttled === undefined
      ? new RetryableError(message, { code: RuntimeErrorCode.MODEL_UNAVAILABLE, cause: last.error, ...retryAfter })
      : new ThrottledError(message, { code: RuntimeErrorCode.MODEL_THROTTLED, cause: throttled.error, ...retryAfter });
  }
}

function described({ provider, id }: ModelSettings) {
  return { component: 'model', provider, model: id };
}

/** What a call that failed has used: nothing, unless it may still be under way. */
function settle(lease: RateLease, { status }: ProviderError): void {
  if (status !== 'timeout') {
    lease.settle(0);
  }
}

function lastOfEach(failures: readonly Failure[]): readonly Failure[] {
  return [...new Map(failures.map((failure) => [failure.model, failure])).values()];
}
