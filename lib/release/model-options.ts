import type { Duration } from 'aws-cdk-lib';

/** Price of a model, in US dollars. Part of the release, so that the costs of different releases are comparable. */
export interface ModelPrice {
  /** US dollars for a million input tokens: 0 or more. */
  readonly inputPerMillion: number;
  /** US dollars for a million output tokens: 0 or more. */
  readonly outputPerMillion: number;
}

/** Options of every model. */
export interface ModelOptions {
  /** Price of the model. */
  readonly price: ModelPrice;
  /** Longest answer, in tokens. @default 4096 */
  readonly maxTokens?: number;
  /** Sampling temperature, 0 to 1. @default - the provider's default */
  readonly temperature?: number;
  /** Timeout of one call. @default Duration.seconds(60) */
  readonly timeout?: Duration;
}

/** Options of {@link ModelSpec.anthropic}. */
export interface AnthropicModelOptions extends ModelOptions {
  /** Name, in `secrets` of the service, of the secret with the API key. @default 'anthropic' */
  readonly secretName?: string;
}

/** Options of {@link ModelSpec.openAi}. */
export interface OpenAiModelOptions extends ModelOptions {
  /** Name, in `secrets` of the service, of the secret with the API key. @default 'openai' */
  readonly secretName?: string;
}

/** Options of {@link ModelSpec.bedrock}. It needs no secret: the worker's role may call the model. */
export interface BedrockModelOptions extends ModelOptions {
  /** Region whose endpoint is called. @default - the region of the stack */
  readonly region?: string;
}

/** Options of {@link ModelSpec.openAiCompatible}. */
export interface OpenAiCompatibleModelOptions extends ModelOptions {
  /** URL of the API, for example `https://models.example.com/v1`. Plain http only for endpoints without a key. */
  readonly baseUrl: string;
  /** Name, in `secrets` of the service, of the secret with the API key. @default - no key is sent */
  readonly secretName?: string;
}
