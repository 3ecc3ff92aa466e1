import type { BedrockRuntimeClient } from '@aws-sdk/client-bedrock-runtime';
import { clientDefaults } from '../../shared/aws/clients/defaults';
import type { ModelProvider, ProviderAnswer, ProviderErrorKind, ProviderRequest } from './provider';
import { errorKindOfStatus, ProviderError } from './provider';

/** Errors of Converse that their HTTP status alone does not classify. */
const ERROR_KINDS_BY_NAME: Readonly<Record<string, ProviderErrorKind>> = {
  ThrottlingException: 'throttled',
  // The account's quota. A status of 400, but it passes (https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html).
  ServiceQuotaExceededException: 'throttled',
  // Being loaded. https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
  ModelNotReadyException: 'unavailable',
  ModelTimeoutException: 'unavailable',
  ExpiredTokenException: 'unavailable',
};

/**
 * Amazon Bedrock's Converse API, called with the worker's role. Clients are kept for the lifetime of the execution
 * environment, because each holds credentials and connections.
 */
export class BedrockProvider implements ModelProvider {
  readonly #clients = new Map<string, Promise<BedrockRuntimeClient>>();

  async generate({ model, prompt, system, maxTokens, signal }: ProviderRequest): Promise<ProviderAnswer> {
    const { ConverseCommand } = await import('@aws-sdk/client-bedrock-runtime');
    const client = await this.#clientFor(model.region, model.timeoutMs);
    try {
      const { output, stopReason, usage } = await client.send(
        new ConverseCommand({
          modelId: model.id,
          messages: [{ role: 'user', content: [{ text: prompt }] }],
          ...(system === undefined ? {} : { system: [{ text: system }] }),
          inferenceConfig: {
            maxTokens,
            temperature: model.temperature,
          },
        }),
        { abortSignal: signal },
      );
      return {
        text: (output?.message?.content ?? []).map(({ text }) => text ?? '').join(''),
        // Tokens that went through the prompt cache are counted at the full input price: never too low.
        inputTokens:
          (usage?.inputTokens ?? 0) + (usage?.cacheReadInputTokens ?? 0) + (usage?.cacheWriteInputTokens ?? 0),
        outputTokens: usage?.outputTokens ?? 0,
        stopReason: stopReason ?? 'unknown',
      };
    } catch (error) {
      signal.throwIfAborted();
      throw toProviderError(error);
    }
  }

  #clientFor(region: string | undefined, timeoutMs: number): Promise<BedrockRuntimeClient> {
    const key = `${region ?? ''} ${timeoutMs}`;
    const known = this.#clients.get(key);
    if (known !== undefined) {
      return known;
    }
    const made = createClient(region, timeoutMs);
    this.#clients.set(key, made);
    return made;
  }
}

async function createClient(region: string | undefined, timeoutMs: number): Promise<BedrockRuntimeClient> {
  const [{ BedrockRuntimeClient }, { NodeHttpHandler }] = await Promise.all([
    import('@aws-sdk/client-bedrock-runtime'),
    import('@smithy/node-http-handler'),
  ]);
  const { requestHandler, ...defaults } = clientDefaults({ requestTimeout: timeoutMs, maxAttempts: 1 });
  return new BedrockRuntimeClient({
    ...defaults,
    // The client's default is HTTP/2: its single connection is dead after Lambda froze the environment for a while.
    requestHandler: new NodeHttpHandler(requestHandler),
    ...(region === undefined ? {} : { region }),
  });
}

function toProviderError(error: unknown): unknown {
  if (!(error instanceof Error)) {
    return error;
  }
  const { $metadata } = error as { readonly $metadata?: { readonly httpStatusCode?: number } };
  const status = $metadata?.httpStatusCode;
  if (status === undefined) {
    const timeout = error.name === 'TimeoutError';
    return new ProviderError(
      'unavailable',
      timeout ? 'timeout' : 'connection',
      `bedrock ${timeout ? 'did not answer in time' : 'could not be reached'}: ${error.message}`,
      { cause: error },
    );
  }
  return new ProviderError(
    ERROR_KINDS_BY_NAME[error.name] ?? errorKindOfStatus(status),
    status,
    `bedrock answered ${status} ${error.name}: ${error.message}`,
    { cause: error },
  );
}
