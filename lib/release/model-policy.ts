import { type Duration, Token } from 'aws-cdk-lib';
import { laneError } from '../common';
import { DEFAULT_MODEL_POLICY, type ModelPolicySettings, modelPolicySchema } from '../contract';

/** How a worker handles a model that gives no answer, before it calls the next model. */
export interface ModelPolicy {
  /** Calls to one model for one request, including the first: an integer between 1 and 5. @default 2 */
  readonly attempts?: number;
  /** Longest pause before the second call. The pause is random between 0 and this bound, which doubles with each call. @default Duration.millis(500) */
  readonly backoffFirst?: Duration;
  /** Upper bound of all pauses. A provider that requests a longer pause is not called again for the request. @default Duration.seconds(4) */
  readonly backoffLongest?: Duration;
  /** Consecutive failed calls that open the breaker of a model: it is skipped for a while. @default 5 */
  readonly breakerFailures?: number;
  /** How long the breaker stays open; then one call probes the model. @default Duration.seconds(30) */
  readonly breakerOpen?: Duration;
}

/** Checks a policy and fills in what it leaves out. @internal */
export function resolveModelPolicy(policy: ModelPolicy = {}): ModelPolicySettings {
  const durations = [policy.backoffFirst, policy.backoffLongest, policy.breakerOpen];
  if (
    durations.some((each) => each?.isUnresolved()) ||
    Object.values(policy).some((each) => Token.isUnresolved(each))
  ) {
    throw laneError(
      undefined,
      'UnresolvedModelPolicy',
      'modelPolicy of the behavior holds a token: expected concrete values, for they are part of the release; use literals',
    );
  }
  const parsed = modelPolicySchema.safeParse({
    attempts: policy.attempts ?? DEFAULT_MODEL_POLICY.attempts,
    backoffFirstMs: policy.backoffFirst?.toMilliseconds() ?? DEFAULT_MODEL_POLICY.backoffFirstMs,
    backoffLongestMs: policy.backoffLongest?.toMilliseconds() ?? DEFAULT_MODEL_POLICY.backoffLongestMs,
    breakerFailures: policy.breakerFailures ?? DEFAULT_MODEL_POLICY.breakerFailures,
    breakerOpenMs: policy.breakerOpen?.toMilliseconds() ?? DEFAULT_MODEL_POLICY.breakerOpenMs,
  });
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
    throw laneError(
      undefined,
      'InvalidModelPolicy',
      `modelPolicy of the behavior is not valid: ${issues}; correct it in Behavior.fromDirectory`,
    );
  }
  return parsed.data;
}
