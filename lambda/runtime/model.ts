import type { ModelSettings } from '../../lib/contract';
import { afterReal, stopwatch } from '../common/clock';
import type { AgentLogger, AgentModel, ModelAnswer, ModelRequest } from './agent';
import { anthropicProvider } from './anthropic';
import { FatalError, messageOf, RetryableError } from './errors';
import type { TaskMeter } from './meter';
import { type ModelProvider, type ProviderAnswer, ProviderError } from './provider';
import type { SecretReader } from './secrets';

const PROVIDERS: Readonly<Record<ModelSettings['provider'], ModelProvider>> = { anthropic: anthropicProvider };

export interface ModelParts {
  readonly settings: ModelSettings;
  readonly secrets: SecretReader;
  readonly meter: TaskMeter;
  readonly logger: AgentLogger;
  readonly signal: AbortSignal;
  /** @default the provider that the settings name */
  readonly provider?: ModelProvider;
}

/** The model of one attempt: calls the provider, counts, prices, and turns its failures into what the queue understands. */
export class TaskModel implements AgentModel {
  readonly #parts: ModelParts;
  readonly #provider: ModelProvider;

  constructor(parts: ModelParts) {
    this.#parts = parts;
    this.#provider = parts.provider ?? PROVIDERS[parts.settings.provider];
  }

  async generate(request: ModelRequest): Promise<ModelAnswer> {
    const { meter, settings, secrets, logger, signal } = this.#parts;
    signal.throwIfAborted();
    meter.countModelCall();
    const elapsed = stopwatch();
    const call = { component: 'model', provider: settings.provider, model: settings.id };
    try {
      const answer = await this.#callWithKey(request, await secrets.get(settings.secret));
      logger.info('model answered', {
        ...call,
        outcome: 'ok',
        durationMs: Math.round(elapsed()),
        inputTokens: answer.inputTokens,
        outputTokens: answer.outputTokens,
        stopReason: answer.stopReason,
      });
      const { cost } = meter.countTokens(answer.inputTokens, answer.outputTokens);
      return {
        text: answer.text,
        stopReason: answer.stopReason,
        usage: { inputTokens: answer.inputTokens, outputTokens: answer.outputTokens, cost },
      };
    } catch (error) {
      if (error instanceof ProviderError) {
        logger.warn('model did not answer', {
          ...call,
          outcome: error.kind,
          status: error.status,
          durationMs: Math.round(elapsed()),
          reason: error.message,
        });
        throw error.kind === 'unavailable'
          ? new RetryableError(error.message, { code: 'model_unavailable', cause: error })
          : new FatalError(error.message, { code: `model_${error.kind}`, cause: error });
      }
      throw error;
    }
  }

  /** A key that is not accepted may have been rotated since it was read: it is read again, and a new one tried once. */
  async #callWithKey(request: ModelRequest, apiKey: string): Promise<ProviderAnswer> {
    const { settings, secrets, logger } = this.#parts;
    try {
      return await this.#call(request, apiKey);
    } catch (error) {
      if (!(error instanceof ProviderError && error.kind === 'unauthorized')) {
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

  async #call({ prompt, system, maxTokens }: ModelRequest, apiKey: string): Promise<ProviderAnswer> {
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
        prompt,
        system,
        maxTokens: Math.min(maxTokens ?? settings.maxTokens, settings.maxTokens),
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
