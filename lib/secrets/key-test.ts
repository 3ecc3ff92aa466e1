import { type KeyTestSettings, keyTestSchema } from '../contract';

/** How a new key is tried before it is used. */
export interface KeyTestOptions {
  /** Endpoint of the provider. @default the provider's own */
  readonly baseUrl?: string;
}

/** Tries a key of a pool before the workers get it: by listing models, which costs nothing. */
export class KeyTest {
  /** Keys of Anthropic's API, or of an endpoint that speaks it. `baseUrl` is without `/v1`, as in its SDK. */
  static anthropic(options: KeyTestOptions = {}): KeyTest {
    return new KeyTest({ provider: 'anthropic', ...options });
  }

  /** Keys of OpenAI's API, or of an endpoint that speaks it. `baseUrl` ends in `/v1`, as in its SDK. */
  static openAi(options: KeyTestOptions = {}): KeyTest {
    return new KeyTest({ provider: 'openai', ...options });
  }

  /**
   * Keys are not tried: one that does not work is found by the tasks that fail with it.
   *
   * @param reason why it cannot be tried; kept for whoever reads the code
   */
  static none(reason: string): KeyTest {
    if (reason.trim() === '') {
      throw new TypeError('KeyTest.none: expected the reason why keys cannot be tried, got an empty text');
    }
    return new KeyTest({ provider: 'none' });
  }

  /** @internal */
  readonly _settings: KeyTestSettings;

  private constructor(settings: KeyTestSettings) {
    this._settings = keyTestSchema.parse(settings);
  }
}
