import type { ModelSettings } from '../../../lib/contract';

/** One call to a model, as every provider can be asked it. */
export interface ProviderRequest {
  readonly model: ModelSettings;
  /** Undefined for a model that needs none. */
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

/** A model provider. It makes one attempt: repeating is up to the chain and to the queue. */
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
export type ProviderErrorKind = 'throttled' | 'unavailable' | 'unauthorized' | 'refused';

export class ProviderError extends Error {
  override readonly name = 'ProviderError';
  /** When the provider wants to be asked again, if it says so. */
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

/** Statuses below 500 that a repetition may overcome: request timeout, conflict, a model that failed (Bedrock). */
const PASSING_STATUSES: ReadonlySet<number> = new Set([408, 409, 424]);

/** Rate limit, and overloaded (https://platform.claude.com/docs/en/api/errors). */
const THROTTLED_STATUSES: ReadonlySet<number> = new Set([429, 529]);

/** What an HTTP status means to a caller. */
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
