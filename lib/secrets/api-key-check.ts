import { laneError } from '../common';
import { type ApiKeyCheckSettings, apiKeyCheckSchema } from '../contract';

/** Options of an {@link ApiKeyCheck}. */
export interface ApiKeyCheckOptions {
  /** Base URL of the provider. @default - the provider's public endpoint */
  readonly baseUrl?: string;
}

/** Checks a key of a pool before the workers use it: by listing models, which costs nothing. */
export class ApiKeyCheck {
  /** Keys of Anthropic's API, or of an endpoint that is compatible with it. `baseUrl` has no `/v1`, as in its SDK. */
  static anthropic(options: ApiKeyCheckOptions = {}): ApiKeyCheck {
    return new ApiKeyCheck({ provider: 'anthropic', ...options });
  }

  /** Keys of OpenAI's API, or of an endpoint that is compatible with it. `baseUrl` ends in `/v1`, as in its SDK. */
  static openAi(options: ApiKeyCheckOptions = {}): ApiKeyCheck {
    return new ApiKeyCheck({ provider: 'openai', ...options });
  }

  /**
   * Keys are not checked: tasks fail with a key that does not work.
   *
   * @param reason why keys cannot be checked; documents the decision in the code
   */
  static none(reason: string): ApiKeyCheck {
    if (reason.trim() === '') {
      throw laneError(
        undefined,
        'MissingReason',
        'reason of ApiKeyCheck.none must not be empty; say why keys cannot be checked',
      );
    }
    return new ApiKeyCheck({ provider: 'none' });
  }

  /** @internal */
  readonly _settings: ApiKeyCheckSettings;

  private constructor(settings: ApiKeyCheckSettings) {
    this._settings = apiKeyCheckSchema.parse(settings);
  }
}
