import { type ModelSettings, RuntimeErrorCode } from '../../../lib/contract';
import { startRealTimer } from '../../shared/clock';
import { messageOf } from '../../shared/errors';
import type { AgentLogger, ModelRequest } from '../agent';
import { FatalError } from '../errors';
import type { SecretReader } from '../secrets';
import { type ModelProvider, type ProviderAnswer, ProviderError } from './provider';

/** One model, and how to reach it. */
export interface ModelEndpoint {
  readonly settings: ModelSettings;
  readonly provider: ModelProvider;
  readonly secrets: SecretReader;
}

export interface CallContext {
  readonly signal: AbortSignal;
  readonly logger: AgentLogger;
}

/** The request as a model gets it: never a longer answer than the release allows it. */
export function capMaxTokens(settings: ModelSettings, { prompt, system, maxTokens }: ModelRequest) {
  return {
    prompt,
    system,
    maxTokens: Math.min(maxTokens ?? settings.maxTokens, settings.maxTokens),
  };
}

/**
 * Asks one model once. A key that is not accepted may have been rotated since it was read: it is read again, and the new
 * one tried. If that one is not accepted either, the provider may not know it yet, so the former one is tried: it is
 * good until the grace period of a rotation ends. A rotation that ended between these two reads made what was current the
 * former one, so then the current one is read once more.
 *
 * @throws ProviderError for everything that went wrong at the provider or on the way
 * @throws the signal's reason when it aborts
 */
export async function callModel(
  place: ModelEndpoint,
  request: ModelRequest,
  { signal, logger }: CallContext,
): Promise<ProviderAnswer> {
  const { settings, secrets } = place;
  const { secret } = settings;
  if (secret === undefined) {
    return callOnce(place, request, undefined, signal);
  }
  const key = await secrets.get(secret);
  const tried = new Set([key]);
  let refusal: ProviderError;
  try {
    return await callOnce(place, request, key, signal);
  } catch (error) {
    refusal = unauthorized(error);
  }
  for (const stage of ['AWSCURRENT', 'AWSPREVIOUS', 'AWSCURRENT'] as const) {
    const other =
      stage === 'AWSCURRENT' ? await secrets.refreshIfRejected(secret, key) : await secrets.previous(secret);
    if (other === undefined || tried.has(other)) {
      continue;
    }
    tried.add(other);
    logger.warn('the model provider did not accept the key, another version of it is tried', {
      component: 'model',
      secret,
      stage,
      outcome: 'key_renewed',
    });
    try {
      const answer = await callOnce(place, request, other, signal);
      secrets.preferValue(secret, other);
      return answer;
    } catch (error) {
      refusal = unauthorized(error);
    }
  }
  throw refusal;
}

/** The error if it says that the key was not accepted. @throws any other */
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
  const late = new AbortController();
  const cancel = startRealTimer(settings.timeoutMs, () =>
    late.abort(
      new ProviderError(
        'unavailable',
        'timeout',
        `${settings.provider} did not answer within ${settings.timeoutMs} ms`,
      ),
    ),
  );
  const either = AbortSignal.any([signal, late.signal]);
  try {
    return await provider.generate({
      model: settings,
      apiKey,
      ...capMaxTokens(settings, request),
      signal: either,
    });
  } catch (error) {
    either.throwIfAborted();
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
