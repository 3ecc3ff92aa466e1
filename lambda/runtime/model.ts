import { digestOf, type ModelSettings } from '../../lib/contract';
import { afterReal, stopwatch } from '../common/clock';
import { subsegment, type TraceContext } from '../common/tracing';
import type { AgentLogger, AgentModel, ModelAnswer, ModelRequest } from './agent';
import { anthropicProvider } from './anthropic';
import { type AgentError, FatalError, messageOf, RetryableError, ThrottledError } from './errors';
import type { TaskMeter } from './meter';
import { type ModelProvider, type ProviderAnswer, ProviderError } from './provider';
import type { SecretReader } from './secrets';
import { KEY_DIGITS } from './step-keys';
import type { Steps } from './steps';
import type { TranscriptWriter } from './transcripts';
import { refuseIfAborted } from './until-aborted';
import { NOTHING_USED } from './usage';

const PROVIDERS: Readonly<Partial<Record<ModelSettings['provider'], ModelProvider>>> = { anthropic: anthropicProvider };

export interface ModelParts {
  readonly settings: ModelSettings;
  readonly secrets: SecretReader;
  readonly steps: Steps;
  readonly meter: TaskMeter;
  readonly logger: AgentLogger;
  readonly signal: AbortSignal;
  readonly trace?: TraceContext | undefined;
  /** Absent: model calls are not recorded. */
  readonly transcripts?: TranscriptWriter | undefined;
  /** @default the provider that the settings name */
  readonly provider?: ModelProvider;
}

/** The model of one attempt: asks the provider once per task and request, counts, prices, and turns its failures into what the queue understands. */
export class TaskModel implements AgentModel {
  readonly #parts: ModelParts;
  readonly #provider: ModelProvider;
  /** Calls made, for the names of their transcripts. */
  #calls = 0;

  constructor(parts: ModelParts) {
    this.#parts = parts;
    this.#provider = parts.provider ?? providerOf(parts.settings);
  }

  async generate(request: ModelRequest): Promise<ModelAnswer> {
    const { settings, steps, signal, trace } = this.#parts;
    await refuseIfAborted(signal);
    const inputDigest = digestOf({ prompt: request.prompt, system: request.system, maxTokens: request.maxTokens });
    const key = steps.numbered(`model:${inputDigest.slice(0, KEY_DIGITS)}`);
    const step = { key, kind: 'model', name: settings.id, inputDigest } as const;
    return steps.run(step, async () => {
      const answer = await subsegment(trace, settings.provider, () => this.#generate(request), {
        namespace: 'remote',
        annotations: { model: settings.id },
      });
      return { value: answer, usage: { ...NOTHING_USED, modelCalls: 1, ...answer.usage } };
    });
  }

  async #generate(request: ModelRequest): Promise<ModelAnswer> {
    const { meter, settings, secrets, logger, transcripts } = this.#parts;
    meter.countModelCall();
    this.#calls += 1;
    const call = this.#calls;
    const elapsed = stopwatch();
    try {
      const { text, stopReason, ...tokens } = await this.#callWithKey(
        request,
        settings.secret === undefined ? '' : await secrets.get(settings.secret),
      );
      logger.info('model answered', {
        ...this.#described(),
        outcome: 'ok',
        durationMs: Math.round(elapsed()),
        ...tokens,
        stopReason,
      });
      const usage = { ...tokens, cost: meter.costOf(tokens.inputTokens, tokens.outputTokens) };
      await transcripts?.write({ call, request: this.#asSent(request), answer: { text, stopReason }, usage });
      meter.countTokens(tokens.inputTokens, tokens.outputTokens);
      return { text, stopReason, usage };
    } catch (error) {
      if (!(error instanceof ProviderError)) {
        throw error;
      }
      logger.warn('model did not answer', {
        ...this.#described(),
        outcome: error.kind,
        status: error.status,
        durationMs: Math.round(elapsed()),
        reason: error.message,
      });
      const failure = asAgentError(error);
      await transcripts?.write({
        call,
        request: this.#asSent(request),
        error: { code: failure.code, message: failure.message },
      });
      throw failure;
    }
  }

  #described() {
    const { settings } = this.#parts;
    return { component: 'model', provider: settings.provider, model: settings.id };
  }

  #asSent({ prompt, system, maxTokens }: ModelRequest) {
    const { settings } = this.#parts;
    return {
      prompt,
      ...(system === undefined ? {} : { system }),
      maxTokens: Math.min(maxTokens ?? settings.maxTokens, settings.maxTokens),
    };
  }

  /** A key that is not accepted may have been rotated since it was read: it is read again, and a new one tried once. */
  async #callWithKey(request: ModelRequest, apiKey: string): Promise<ProviderAnswer> {
    const { settings, secrets, logger } = this.#parts;
    try {
      return await this.#call(request, apiKey);
    } catch (error) {
      if (settings.secret === undefined || !(error instanceof ProviderError && error.kind === 'unauthorized')) {
        throw error;
      }
      const renewed = await secrets.refresh(settings.secret);
      if (renewed === apiKey) {
        throw error;
      }
      logger.warn('the model provider did not accept the key, trying the one read anew', {
        component: 'model',
        secret: settings.secret,
        outcome: 'key_renewed',
      });
      return await this.#call(request, renewed);
    }
  }

  async #call(request: ModelRequest, apiKey: string): Promise<ProviderAnswer> {
    const { settings, signal } = this.#parts;
    const late = new AbortController();
    const cancel = afterReal(settings.timeoutMs, () =>
      late.abort(
        new ProviderError(
          'unavailable',
          'timeout',
          `${settings.provider} did not answer within ${settings.timeoutMs} ms`,
        ),
      ),
    );
    const either = AbortSignal.any([signal, late.signal]);
    try {
      return await this.#provider.generate({
        model: settings,
        apiKey,
        system: undefined,
        ...this.#asSent(request),
        signal: either,
      });
    } catch (error) {
      either.throwIfAborted();
      if (error instanceof ProviderError) {
        throw error;
      }
      throw new FatalError(`${settings.provider} could not be called: ${messageOf(error)}`, {
        code: 'model_refused',
        cause: error,
      });
    } finally {
      cancel();
    }
  }
}

function providerOf({ provider, id }: ModelSettings): ModelProvider {
  const known = PROVIDERS[provider];
  if (known === undefined) {
    throw new FatalError(`this worker cannot call ${id}: it has no provider ${provider}`, { code: 'model_refused' });
  }
  return known;
}

function asAgentError(error: ProviderError): AgentError {
  const retryAfter = error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs };
  switch (error.kind) {
    case 'throttled':
      return new ThrottledError(error.message, { code: 'model_throttled', cause: error, ...retryAfter });
    case 'unavailable':
      return new RetryableError(error.message, { code: 'model_unavailable', cause: error, ...retryAfter });
    default:
      return new FatalError(error.message, { code: `model_${error.kind}`, cause: error });
  }
}
