import { laneError } from '../common';
import type { ModelSpec } from './model-spec';

/** A request must not wander for longer than its caller waits. */
const MAX_FALLBACKS = 4;

/** Refuses fallbacks that cannot help. */
export function checkFallbacks(primary: ModelSpec, fallbacks: readonly ModelSpec[]): void {
  if (fallbacks.length > MAX_FALLBACKS) {
    throw laneError(
      undefined,
      'TooManyFallbacks',
      `fallbacks are ${fallbacks.length} models: expected at most ${MAX_FALLBACKS}; keep those that you would want an answer from`,
    );
  }
  const seen = new Set([placeOf(primary)]);
  for (const model of fallbacks) {
    const place = placeOf(model);
    if (seen.has(place)) {
      throw laneError(
        undefined,
        'DuplicateModel',
        `fallbacks name ${place} although it comes earlier in the chain: expected each model once, for it is away when it is away; leave it out, or name another`,
      );
    }
    seen.add(place);
  }
}

/** A model in one place: the same model in another region or behind another endpoint may well answer. */
function placeOf({ _settings: { provider, id, region, baseUrl } }: ModelSpec): string {
  return [provider, id, region, baseUrl].filter((part) => part !== undefined).join(' ');
}
