import type { ModelSettings } from '../../lib/contract';

/** One call to a model, as every provider can be asked it. */
export interface ProviderRequest {
  readonly model: ModelSettings;
  readonly apiKey: string;
  readonly prompt: string;
  readonly system: string | undefined;
  readonly maxTokens: number;
  readonly signal: AbortSignal;
}

export interface ProviderAnswer {
  readonly text: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly stopReason: string;
}

/** A model provider. It makes one attempt: repeating is up to the queue. */
export interface ModelProvider {
  /**
   * @throws ProviderError for everything that went wrong at the provider or on the way
   * @throws the signal's reason when it aborts
   */
  generate(request: ProviderRequest): Promise<ProviderAnswer>;
}

/**
 * `throttled`: the provider limits its callers or is overloaded. `unavailable`: may pass (5xx, timeout, connection).
 * `unauthorized`: the key is not accepted. `refused`: the request itself is not accepted.
 */
export class ProviderError extends Error {
  override readonly name = 'ProviderError';
  /** When the provider wants to be asked again, if it says so. */
  readonly retryAfterMs: number | undefined;

  constructor(
    readonly kind: 'throttled' | 'unavailable' | 'unauthorized' | 'refused',
    /** HTTP status, or `timeout` or `connection` when there was none. */
    readonly status: number | 'timeout' | 'connection',
    message: string,
    options: ErrorOptions & { readonly retryAfterMs?: number } = {},
  ) {
    super(message, options);
    this.retryAfterMs = options.retryAfterMs;
  }
}
