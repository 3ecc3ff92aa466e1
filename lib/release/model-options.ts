import type { Duration } from 'aws-cdk-lib';

/** What the provider charges, in US dollars. Part of the release, so that costs of different releases compare. */
export interface ModelPrice {
  /** For a million tokens sent. */
  readonly inputPerMillion: number;
  /** For a million tokens received. */
  readonly outputPerMillion: number;
}

/** What every model is told. */
export interface ModelOptions {
  readonly price: ModelPrice;
  /** Longest answer, in tokens. @default 4096 */
  readonly maxTokens?: number;
  /** 0 to 1. @default the provider's */
  readonly temperature?: number;
  /** For one call. @default 60 seconds */
  readonly timeout?: Duration;
}

export interface AnthropicModelOptions extends ModelOptions {
  /** Name, as handed to the service, of the secret that holds the API key. @default anthropic */
  readonly secretName?: string;
}

export interface OpenAiModelOptions extends ModelOptions {
  /** Name, as handed to the service, of the secret that holds the API key. @default openai */
  readonly secretName?: string;
}

/** There is no secret: the worker's role may call the model. */
export interface BedrockModelOptions extends ModelOptions {
  /** Region whose endpoint is asked. @default the stack's */
  readonly region?: string;
}

export interface OpenAiCompatibleModelOptions extends ModelOptions {
  /** Where the API begins, for example `https://models.example.com/v1`. Plain http is for endpoints that take no key. */
  readonly baseUrl: string;
  /** Name, as handed to the service, of the secret that holds the key. @default no key is sent */
  readonly secretName?: string;
}
