import { type ApiKeyCheckSettings, apiKeyCheckSchema } from '../contract';

/** How a new key is tried before it is used. */
export interface ApiKeyCheckOptions {
  /** Endpoint of the provider. @default the provider's own */
  readonly baseUrl?: string;
}

/** Tries a key of a pool before the workers get it: by listing models, which costs nothing. */
export class ApiKeyCheck {
  /** Keys of Anthropic's API, or of an endpoint that speaks it. `baseUrl` is without `/v1`, as in its SDK. */
  static anthropic(options: ApiKeyCheckOptions = {}): ApiKeyCheck {
    return new ApiKeyCheck({ provider: 'anthropic', ...options });
  }

  /** Keys of OpenAI's API, or of an endpoint that speaks it. `baseUrl` ends in `/v1`, as in its SDK. */
  static openAi(options: ApiKeyCheckOptions = {}): ApiKeyCheck {
    return new ApiKeyCheck({ provider: 'openai', ...options });
  }

  /**
   * Keys are not tried: one that does not work is found by the tasks that fail with it.
   *
   * @param reason why it cannot be tried; kept for whoever reads the code
   */
  static none(reason: string): ApiKeyCheck {
    if (reason.trim() === '') {
      throw new TypeError('ApiKeyCheck.none: expected the reason why keys cannot be tried, got an empty text');
    }
    return new ApiKeyCheck({ provider: 'none' });
  }

  /** @internal */
  readonly _settings: ApiKeyCheckSettings;

  private constructor(settings: ApiKeyCheckSettings) {
    this._settings = apiKeyCheckSchema.parse(settings);
  }
}
