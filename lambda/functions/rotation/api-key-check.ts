import type { ApiKeyCheckSettings } from '../../../lib/contract';
import type { Clock } from '../../shared/clock';
import { describeFailure, type JsonRequest, requestJson } from './http-json';
import { RotationError } from './key-source';

/** A new key may take a moment to propagate at the provider: cloud milliseconds between tries, and number of tries. */
const RETRY_MS = 2_000;
const MAX_TRIES = 5;

/** Version of the API, https://platform.claude.com/docs/en/api/versioning */
const ANTHROPIC_VERSION = '2023-06-01';

/**
 * Checks a key by listing models, which has no cost and no side effects.
 *
 * @throws RotationError when the provider rejects the key
 */
export async function checkApiKey(settings: ApiKeyCheckSettings, key: string, clock: Clock): Promise<void> {
  const request = requestFor(settings, key);
  if (request === undefined) {
    return;
  }
  for (let tries = 1; ; tries += 1) {
    const answer = await requestJson(request);
    if (answer.status === 200) {
      return;
    }
    if (tries === MAX_TRIES) {
      throw new RotationError(
        `the new key was tried ${MAX_TRIES} times and rejected: ${describeFailure(request, answer)}; the current key stays in use`,
      );
    }
    await clock.sleep(RETRY_MS);
  }
}

/** Uses the base URLs of the SDKs, so that this function and the workers call the same endpoint. */
function requestFor(settings: ApiKeyCheckSettings, key: string): JsonRequest | undefined {
  const { ANTHROPIC_BASE_URL, OPENAI_BASE_URL } = process.env;
  switch (settings.provider) {
    case 'anthropic':
      return {
        method: 'GET',
        url: `${settings.baseUrl ?? ANTHROPIC_BASE_URL ?? 'https://api.anthropic.com'}/v1/models`,
        headers: { 'x-api-key': key, 'anthropic-version': ANTHROPIC_VERSION },
      };
    case 'openai':
      return {
        method: 'GET',
        url: `${settings.baseUrl ?? OPENAI_BASE_URL ?? 'https://api.openai.com/v1'}/models`,
        headers: { authorization: `Bearer ${key}` },
      };
    case 'none':
      return undefined;
  }
}
