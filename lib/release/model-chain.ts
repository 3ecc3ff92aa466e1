import { laneError } from '../common';
import type { ModelSpec } from './model-spec';

/** Each model adds to the time that the caller of a request waits. */
const MAX_FALLBACKS = 4;

/** @throws LaneError for too many fallbacks, and for a model that is in the chain twice */
export function checkFallbacks(primary: ModelSpec, fallbacks: readonly ModelSpec[]): void {
  if (fallbacks.length > MAX_FALLBACKS) {
    throw laneError(
      undefined,
      'TooManyFallbacks',
      `fallbacks must have at most ${MAX_FALLBACKS} models, got ${fallbacks.length}; remove some`,
    );
  }
  const seen = new Set([placeOf(primary)]);
  for (const model of fallbacks) {
    const place = placeOf(model);
    if (seen.has(place)) {
      throw laneError(
        undefined,
        'DuplicateModel',
        `fallbacks name ${place}, which is earlier in the chain: expected each model once, for a second call to an unavailable model fails as well; remove it, or use another`,
      );
    }
    seen.add(place);
  }
}

/** A model at one endpoint: the same model in another region or behind another endpoint may answer. */
function placeOf({ _settings: { provider, id, region, baseUrl } }: ModelSpec): string {
  return [provider, id, region, baseUrl].filter((part) => part !== undefined).join(' ');
}
