import { Env } from '../../../lib/contract';
import type { ModelProvider, ProviderAnswer, ProviderRequest } from './provider';
import { errorKindOfStatus, ProviderError, retryAfterOf } from './provider';

/** Sent to endpoints without keys: the SDK requires one. */
const NO_KEY = 'none';

/**
 * OpenAI's Chat Completions (https://platform.openai.com/docs/api-reference/chat) through its SDK, at OpenAI or at any
 * endpoint that speaks it. The SDK takes OpenAI's base URL from `OPENAI_BASE_URL`; its own retries are off.
 */
export const openAiProvider: ModelProvider = {
  async generate({ model, apiKey, prompt, system, maxTokens, signal }: ProviderRequest): Promise<ProviderAnswer> {
    // Loaded at the first call: most agents never use this provider.
    const { default: OpenAI, APIConnectionTimeoutError, APIConnectionError, APIError } = await import('openai');
    const baseURL = model.baseUrl === undefined ? undefined : (process.env[Env.MODEL_BASE_URL] ?? model.baseUrl);
    const client = new OpenAI({
      apiKey: apiKey ?? NO_KEY,
      maxRetries: 0,
      timeout: model.timeoutMs,
      baseURL,
    });
    try {
      const completion = await client.chat.completions.create(
        {
          model: model.id,
          messages: [
            ...(system === undefined ? [] : [{ role: 'system' as const, content: system }]),
            { role: 'user', content: prompt },
          ],
          // OpenAI's newer models accept only the first, most other endpoints only the second.
          ...(model.provider === 'openai' ? { max_completion_tokens: maxTokens } : { max_tokens: maxTokens }),
          ...(model.temperature === undefined ? {} : { temperature: model.temperature }),
        },
        { signal },
      );
      const choice = completion.choices[0];
      return {
        text: choice?.message.content ?? '',
        inputTokens: completion.usage?.prompt_tokens ?? 0,
        outputTokens: completion.usage?.completion_tokens ?? 0,
        stopReason: choice?.message.refusal ? 'refusal' : (choice?.finish_reason ?? 'unknown'),
      };
    } catch (error) {
      signal.throwIfAborted();
      const name = model.provider === 'openai' ? 'openai' : new URL(baseURL ?? model.baseUrl ?? '').host;
      if (error instanceof APIConnectionTimeoutError) {
        throw new ProviderError('unavailable', 'timeout', `${name} did not answer within ${model.timeoutMs} ms`, {
          cause: error,
        });
      }
      if (error instanceof APIConnectionError) {
        const reason = error.cause instanceof Error ? `: ${error.cause.message}` : '';
        throw new ProviderError('unavailable', 'connection', `${name} could not be reached${reason}`, {
          cause: error,
        });
      }
      if (error instanceof APIError && typeof error.status === 'number') {
        // A used-up quota is a 429 too. Waiting does not refill it, but the task is not at fault either.
        throw new ProviderError(errorKindOfStatus(error.status), error.status, `${name} answered ${error.message}`, {
          cause: error,
          ...retryAfterOf(error.headers),
        });
      }
      throw error;
    }
  },
};
