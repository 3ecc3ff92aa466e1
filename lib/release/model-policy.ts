import { type Duration, Token } from 'aws-cdk-lib';
import { laneError } from '../common';
import { DEFAULT_MODEL_POLICY, type ModelPolicySettings, modelPolicySchema } from '../contract';

/** What a worker does about a model that does not answer, before it turns to the next one. */
export interface ModelPolicy {
  /** Calls to one model for one request, the first included; 1 to 5. @default 2 */
  readonly attempts?: number;
  /** Longest pause before the second call. The pause is drawn from 0 to this, and the bound doubles with each call. @default 500 ms */
  readonly backoffFirst?: Duration;
  /** No pause is longer. A provider that wants to be left alone for longer is not called again for the request. @default 4 seconds */
  readonly backoffLongest?: Duration;
  /** Calls in a row that a model must fail to be left out for a while. @default 5 */
  readonly breakerFailures?: number;
  /** How long it is left out; then one call tries it. @default 30 seconds */
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
      'modelPolicy of the behavior holds a token: expected concrete values, known at synth, for they are part of the release; write the values into the app',
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
