import type { ModelSettings } from '../../../lib/contract';

/** One call of a model, in the form that every provider supports. */
export interface ProviderRequest {
  readonly model: ModelSettings;
  /** Undefined for a model without a key. */
  readonly apiKey: string | undefined;
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

/** A model provider. It makes one attempt; the chain and the queue retry. */
export interface ModelProvider {
  /**
   * @throws ProviderError for every failure of the provider or the network
   * @throws the signal's reason when it aborts
   */
  generate(request: ProviderRequest): Promise<ProviderAnswer>;
}

/**
 * `throttled`: rate limit or overload. `unavailable`: transient (5xx, timeout, connection). `unauthorized`: the key was
 * rejected. `refused`: the request was rejected.
 */
export type ProviderErrorKind = 'throttled' | 'unavailable' | 'unauthorized' | 'refused';

export class ProviderError extends Error {
  override readonly name = 'ProviderError';
  /** Milliseconds from the provider's `Retry-After` header, if it sent one. */
  readonly retryAfterMs: number | undefined;

  constructor(
    readonly kind: ProviderErrorKind,
    /** HTTP status, or `timeout` or `connection` when there was none. */
    readonly status: number | 'timeout' | 'connection',
    message: string,
    options: ErrorOptions & { readonly retryAfterMs?: number } = {},
  ) {
    super(message, options);
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Retryable statuses below 500: request timeout, conflict, and failed dependency (Bedrock: the model failed). */
const PASSING_STATUSES: ReadonlySet<number> = new Set([408, 409, 424]);

/** Rate limit, and overloaded (https://platform.claude.com/docs/en/api/errors). */
const THROTTLED_STATUSES: ReadonlySet<number> = new Set([429, 529]);

/** Classifies an HTTP status. */
export function errorKindOfStatus(status: number): ProviderErrorKind {
  if (THROTTLED_STATUSES.has(status)) {
    return 'throttled';
  }
  if (status >= 500 || PASSING_STATUSES.has(status)) {
    return 'unavailable';
  }
  return status === 401 ? 'unauthorized' : 'refused';
}

/** The header `Retry-After` in seconds, as the providers send it. */
export function retryAfterOf(headers: unknown): { readonly retryAfterMs?: number } {
  const text = headers instanceof Headers ? headers.get('retry-after') : null;
  const seconds = text === null || text.trim() === '' ? Number.NaN : Number(text);
  return Number.isFinite(seconds) && seconds >= 0 ? { retryAfterMs: seconds * 1000 } : {};
}
