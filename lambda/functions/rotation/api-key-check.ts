import type { ApiKeyCheckSettings } from '../../../lib/contract';
import type { Clock } from '../../shared/clock';
import { RotationError } from './errors';
import { describeFailure, type JsonRequest, requestJson } from './http-json';

/** A provider may need a moment until all of it knows a new key: cloud milliseconds between tries, and how many. */
const SETTLING_MS = 2_000;
const TRIES = 5;

/** Version of the API, https://platform.claude.com/docs/en/api/versioning */
const ANTHROPIC_VERSION = '2023-06-01';

/**
 * Tries a key by listing models, which costs nothing and changes nothing.
 *
 * @throws RotationError when the provider does not take it
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
    if (tries === TRIES) {
      throw new RotationError(
        `the new key was tried ${TRIES} times and not accepted: ${describeFailure(request, answer)}; the current key stays in use`,
      );
    }
    await clock.sleep(SETTLING_MS);
  }
}

/** The endpoint of the SDKs, so that function and workers always speak to the same one. */
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
