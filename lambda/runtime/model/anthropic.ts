import type { ModelProvider, ProviderAnswer, ProviderRequest } from './provider';
import { errorKindOfStatus, ProviderError, retryAfterOf } from './provider';

/**
 * Anthropic's Messages API (https://docs.anthropic.com/en/api/messages) through its SDK. The SDK takes the base URL
 * from `ANTHROPIC_BASE_URL`; its own retries are off: a task waits in its queue and not in a paid function.
 */
export const anthropicProvider: ModelProvider = {
  async generate({ model, apiKey, prompt, system, maxTokens, signal }: ProviderRequest): Promise<ProviderAnswer> {
    // Loaded at the first call, to keep cold starts short.
    const {
      default: Anthropic,
      APIConnectionTimeoutError,
      APIConnectionError,
      APIError,
    } = await import('@anthropic-ai/sdk');
    const client = new Anthropic({ apiKey: apiKey ?? null, maxRetries: 0, timeout: model.timeoutMs });
    try {
      const message = await client.messages.create(
        {
          model: model.id,
          max_tokens: maxTokens,
          messages: [{ role: 'user', content: prompt }],
          system,
          ...(model.temperature === undefined ? {} : { temperature: model.temperature }),
        },
        { signal },
      );
      const { usage } = message;
      return {
        text: message.content.map((block) => (block.type === 'text' ? block.text : '')).join(''),
        // Cached input tokens are counted at the full input price: the cost is never too low.
        inputTokens:
          usage.input_tokens + (usage.cache_creation_input_tokens ?? 0) + (usage.cache_read_input_tokens ?? 0),
        outputTokens: usage.output_tokens,
        stopReason: message.stop_reason ?? 'unknown',
      };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof APIConnectionTimeoutError) {
        throw new ProviderError('unavailable', 'timeout', `anthropic did not answer within ${model.timeoutMs} ms`, {
          cause: error,
        });
      }
      if (error instanceof APIConnectionError) {
        const reason = error.cause instanceof Error ? `: ${error.cause.message}` : '';
        throw new ProviderError('unavailable', 'connection', `anthropic could not be reached${reason}`, {
          cause: error,
        });
      }
      if (error instanceof APIError && typeof error.status === 'number') {
        const said = error.apiMessage ?? error.message;
        throw new ProviderError(
          errorKindOfStatus(error.status),
          error.status,
          `anthropic answered ${error.status}${error.type === null ? '' : ` ${error.type}`}: ${said}`,
          { cause: error, ...retryAfterOf(error.headers) },
        );
      }
      throw error;
    }
  },
};
