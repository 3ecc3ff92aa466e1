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
  /** Time of the circuit breakers. */
  readonly clock: Clock;
  /** Called before each model call. @default no limits */
  readonly limiter?: RateLimiter | undefined;
  /** From 0 up to 1. @default Math.random */
  readonly random?: () => number;
  /** Replaces providers, for tests. @default every provider of the library */
  readonly providers?: Partial<ModelProviders>;
}

/** One completed call of one model. */
export interface ModelCall {
  readonly model: ModelSettings;
  readonly result: ProviderAnswer | ProviderError;
}

/** One request to the chain, with the callbacks of its caller. */
export interface ChainRequest {
  readonly request: ModelRequest;
  readonly mode: Mode;
  readonly signal: AbortSignal;
  readonly logger: AgentLogger;
  readonly trace?: TraceContext | undefined;
  /** Called after each model call, before its result is used. */
  readonly onCall: (call: ModelCall) => Promise<void>;
  /** Called when the circuit breaker of a model opened. */
  readonly onBreakerOpened: () => void;
}

export interface ChainAnswer extends ProviderAnswer {
  readonly model: ModelSettings;
  /** Whether a fallback answered instead of the requested model. */
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
 * The models of a release in the order in which they are called. One instance per execution environment, so that all its
 * tasks share the circuit breakers. A model that does not answer is retried a few times before the next one is called. A
 * rejected request is not sent to another model: the request is at fault, and a fallback would hide that.
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
   * @throws ThrottledError when no model answered and at least one was throttled, or when the shared limit is used up
   * @throws RetryableError when no model answered
   * @throws FatalError when a model rejected the request or its key, or the chain has no such model
   */
  async generate(chainRequest: ChainRequest): Promise<ChainAnswer> {
    const failures: Failure[] = [];
    for (const [index, link] of this.#order(chainRequest.request.model).entries()) {
      const answer = await this.#callWithRetries(link, index > 0, chainRequest, failures);
      if (answer !== undefined) {
        return { ...answer, model: link.settings, fallback: index > 0 };
      }
    }
    throw this.#noAnswerError(failures);
  }

  /** The chain, with the requested model first. */
  #order(wanted: string | undefined): readonly Link[] {
    if (wanted === undefined) {
      return this.#links;
    }
    const first = this.#links.find(({ settings }) => settings.id === wanted);
    if (first === undefined) {
      const names = this.#links.map(({ settings }) => settings.id).join(', ');
      throw new FatalError(
        `the release has no model "${wanted}" in its chain; it has ${names}: add it as a fallback, or request one of them`,
        { code: RuntimeErrorCode.MODEL_UNKNOWN },
      );
    }
    return [first, ...this.#links.filter((link) => link !== first)];
  }

  /** @returns undefined if the next model must be called */
  async #callWithRetries(
    link: Link,
    fallback: boolean,
    chainRequest: ChainRequest,
    failures: Failure[],
  ): Promise<ProviderAnswer | undefined> {
    const { settings, breaker } = link;
    const { logger, onBreakerOpened, signal } = chainRequest;
    for (let call = 1; ; call += 1) {
      const permit = breaker.tryAcquire();
      if (permit === undefined) {
        return undefined;
      }
      try {
        const answer = await this.#call(link, fallback, chainRequest);
        if (permit.succeeded()) {
          logger.info('circuit breaker closed: the model answers again', {
            ...described(settings),
            outcome: 'breaker_closed',
          });
        }
        return answer;
      } catch (error) {
        if (!(error instanceof ProviderError)) {
          throw error;
        }
        if (error.kind === 'refused' || error.kind === 'unauthorized') {
          permit.succeeded();
          throw new FatalError(error.message, { code: `model_${error.kind}`, cause: error });
        }
        failures.push({ model: settings, error });
        if (permit.failed()) {
          onBreakerOpened();
          logger.warn('circuit breaker opened: the model is skipped', {
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
        permit.released();
      }
    }
  }

  async #call(link: Link, fallback: boolean, chainRequest: ChainRequest): Promise<ProviderAnswer> {
    const { settings } = link;
    const { request, mode, signal, logger, trace, onCall } = chainRequest;
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
      settleLease(lease, error);
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

  /** Full jitter in real time: the function is paid for while it waits. */
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

  /** The error when no model answered. If no model could be called at all, the attempt does not count. */
  #noAnswerError(failures: readonly Failure[]): Error {
    const waits = [
      ...failures.flatMap(({ error: { retryAfterMs } }) => (retryAfterMs === undefined ? [] : [retryAfterMs])),
      ...this.#links.map(({ breaker }) => Math.ceil(breaker.waitMs)).filter((milliseconds) => milliseconds > 0),
    ];
    const retryAfter = waits.length === 0 ? {} : { retryAfterMs: Math.min(...waits) };
    const last = failures.at(-1);
    if (last === undefined) {
      const names = this.#links.map(({ settings }) => settings.id).join(', ');
      return new RetryableError(
        `no model was called: the circuit ${this.#links.length === 1 ? 'breaker' : 'breakers'} of ${names} ${this.#links.length === 1 ? 'is' : 'are'} open`,
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

/** Returns the estimated tokens of a failed call, unless the provider may still be processing it. */
function settleLease(lease: RateLease, { status }: ProviderError): void {
  if (status !== 'timeout') {
    lease.settle(0);
  }
}

function lastOfEach(failures: readonly Failure[]): readonly Failure[] {
  return [...new Map(failures.map((failure) => [failure.model, failure])).values()];
}
