import { Token } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';
import { describeValue } from '../common';
import { laneError } from '../common/errors';
import { MODEL_PROVIDERS, type RateLimits } from '../contract';

/** What a provider allows, shared by all workers of all lanes of the agent. At least one limit. */
export interface RateLimit {
  /**
   * Requests per minute: more than 0.
   *
   * @default - not limited
   */
  readonly requestsPerMinute?: number;

  /**
   * Input and output tokens per minute, together: more than 0.
   *
   * @default - not limited
   */
  readonly tokensPerMinute?: number;
}

/** @throws LaneError for an unknown provider or an invalid limit. @internal */
export function rateLimitsOf(scope: IConstruct, limits: { readonly [provider: string]: RateLimit }): RateLimits {
  for (const [provider, limit] of Object.entries(limits)) {
    if (!(MODEL_PROVIDERS as readonly string[]).includes(provider)) {
      throw laneError(
        scope,
        'UnsupportedProvider',
        `rateLimits names the provider "${provider}", expected one of ${MODEL_PROVIDERS.join(', ')}`,
      );
    }
    for (const name of ['requestsPerMinute', 'tokensPerMinute'] as const) {
      const value = limit[name];
      if (value !== undefined && (Token.isUnresolved(value) || !(value > 0 && Number.isFinite(value)))) {
        throw laneError(
          scope,
          'InvalidRateLimit',
          `${name} of ${provider} must be a number above 0, got ${describeValue(value)}; leave it out for no limit`,
        );
      }
    }
    if (limit.requestsPerMinute === undefined && limit.tokensPerMinute === undefined) {
      throw laneError(
        scope,
        'MissingRateLimit',
        `rateLimits of ${provider} is empty, expected requestsPerMinute or tokensPerMinute; leave the provider out for no limit`,
      );
    }
  }
  return limits as RateLimits;
}
