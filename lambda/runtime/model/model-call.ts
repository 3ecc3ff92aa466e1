import { type ModelSettings, RuntimeErrorCode } from '../../../lib/contract';
import { startRealTimer } from '../../shared/clock';
import { messageOf } from '../../shared/errors';
import type { AgentLogger, ModelRequest } from '../agent';
import { FatalError } from '../errors';
import type { SecretReader } from '../secrets';
import { type ModelProvider, type ProviderAnswer, ProviderError } from './provider';

/** One model and its provider. */
export interface ModelEndpoint {
  readonly settings: ModelSettings;
  readonly provider: ModelProvider;
  readonly secrets: SecretReader;
}

export interface CallContext {
  readonly signal: AbortSignal;
  readonly logger: AgentLogger;
}

/** The request with `maxTokens` limited to what the release allows. */
export function capMaxTokens(settings: ModelSettings, { prompt, system, maxTokens }: ModelRequest) {
  return {
    prompt,
    system,
    maxTokens: Math.min(maxTokens ?? settings.maxTokens, settings.maxTokens),
  };
}

/**
 * Calls one model once. A rejected key may have been rotated since it was read: the secret is read again and the new key is
 * tried. If the provider rejects that key too, it may not know it yet, so the previous version is tried: it is valid until
 * the rotation's grace period ends. If a rotation ended between these two reads, the current version has become the previous
 * one, so the current version is read once more.
 *
 * @throws ProviderError for every failure of the provider or the network
 * @throws the signal's reason when it aborts
 */
export async function callModel(
  endpoint: ModelEndpoint,
  request: ModelRequest,
  { signal, logger }: CallContext,
): Promise<ProviderAnswer> {
  const { settings, secrets } = endpoint;
  const { secret } = settings;
  if (secret === undefined) {
    return callOnce(endpoint, request, undefined, signal);
  }
  const key = await secrets.get(secret);
  const tried = new Set([key]);
  let rejection: ProviderError;
  try {
    return await callOnce(endpoint, request, key, signal);
  } catch (error) {
    rejection = unauthorized(error);
  }
  for (const stage of ['AWSCURRENT', 'AWSPREVIOUS', 'AWSCURRENT'] as const) {
    const version =
      stage === 'AWSCURRENT' ? await secrets.refreshIfRejected(secret, key) : await secrets.previous(secret);
    if (version === undefined || tried.has(version)) {
      continue;
    }
    tried.add(version);
    logger.warn('the model provider rejected the key; trying another version of the secret', {
      component: 'model',
      secret,
      stage,
      outcome: 'key_renewed',
    });
    try {
      const answer = await callOnce(endpoint, request, version, signal);
      secrets.preferValue(secret, version);
      return answer;
    } catch (error) {
      rejection = unauthorized(error);
    }
  }
  throw rejection;
}

/** Returns the error if the provider rejected the key. @throws any version error */
function unauthorized(error: unknown): ProviderError {
  if (error instanceof ProviderError && error.kind === 'unauthorized') {
    return error;
  }
  throw error;
}

async function callOnce(
  { settings, provider }: ModelEndpoint,
  request: ModelRequest,
  apiKey: string | undefined,
  signal: AbortSignal,
): Promise<ProviderAnswer> {
  const timeout = new AbortController();
  const cancel = startRealTimer(settings.timeoutMs, () =>
    timeout.abort(
      new ProviderError(
        'unavailable',
        'timeout',
        `${settings.provider} did not answer within ${settings.timeoutMs} ms`,
      ),
    ),
  );
  const combined = AbortSignal.any([signal, timeout.signal]);
  try {
    return await provider.generate({
      model: settings,
      apiKey,
      ...capMaxTokens(settings, request),
      signal: combined,
    });
  } catch (error) {
    combined.throwIfAborted();
    if (error instanceof ProviderError) {
      throw error;
    }
    throw new FatalError(`${settings.provider} could not be called: ${messageOf(error)}`, {
      code: RuntimeErrorCode.MODEL_REFUSED,
      cause: error,
    });
  } finally {
    cancel();
  }
}
