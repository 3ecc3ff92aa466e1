import { z } from 'zod';
import { cfnNumber } from '../../core/properties';

/**
 * Seconds between two actions of a policy that says nothing of it, for ECS services.
 * https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html
 */
const DEFAULT_COOLDOWN_SECONDS = 300;

const stepSchema = z.strictObject({
  MetricIntervalLowerBound: cfnNumber.optional(),
  MetricIntervalUpperBound: cfnNumber.optional(),
  ScalingAdjustment: cfnNumber.pipe(z.number().int()),
});

/** `StepScalingPolicyConfiguration` of a policy. */
export const stepPolicySchema = z
  .strictObject({
    AdjustmentType: z.enum(['ChangeInCapacity', 'ExactCapacity', 'PercentChangeInCapacity']),
    Cooldown: cfnNumber.default(DEFAULT_COOLDOWN_SECONDS),
    MetricAggregationType: z.enum(['Average', 'Maximum', 'Minimum']).optional(),
    MinAdjustmentMagnitude: cfnNumber.pipe(z.number().int().positive()).optional(),
    StepAdjustments: z.array(stepSchema).min(1).max(20),
  })
  .superRefine(({ AdjustmentType, MinAdjustmentMagnitude, StepAdjustments }, context) => {
    const problem = intervalProblem(StepAdjustments);
    if (problem !== undefined) {
      context.addIssue({ code: 'custom', path: ['StepAdjustments'], message: problem });
    }
    if (MinAdjustmentMagnitude !== undefined && AdjustmentType !== 'PercentChangeInCapacity') {
      const message = 'is only for PercentChangeInCapacity';
      context.addIssue({ code: 'custom', path: ['MinAdjustmentMagnitude'], message });
    }
    if (AdjustmentType === 'ExactCapacity' && StepAdjustments.some(({ ScalingAdjustment }) => ScalingAdjustment < 0)) {
      const message = 'an exact capacity cannot be below 0';
      context.addIssue({ code: 'custom', path: ['StepAdjustments'], message });
    }
  });

export type StepPolicy = z.infer<typeof stepPolicySchema>;
type Step = StepPolicy['StepAdjustments'][number];

/**
 * Why the intervals are invalid, if they are: they must not overlap or leave gaps, and if one is below the threshold, one must
 * begin or end at it.
 * https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html
 */
function intervalProblem(steps: readonly Step[]): string | undefined {
  const sorted = [...steps].sort((a, b) => lowerOf(a) - lowerOf(b));
  for (const [index, step] of sorted.entries()) {
    if (lowerOf(step) >= upperOf(step)) {
      return `the bounds ${formatBounds(step)} enclose nothing`;
    }
    const next = sorted[index + 1];
    if (next !== undefined && upperOf(step) !== lowerOf(next)) {
      return `${formatBounds(step)} and ${formatBounds(next)} overlap or leave a gap`;
    }
  }
  const open = (bound: (step: Step) => number) => steps.filter((step) => !Number.isFinite(bound(step))).length;
  if (open(lowerOf) > 1 || open(upperOf) > 1) {
    return 'at most one step may be without lower bound, and one without upper bound';
  }
  return undefined;
}

function lowerOf({ MetricIntervalLowerBound }: Step): number {
  return MetricIntervalLowerBound ?? Number.NEGATIVE_INFINITY;
}

function upperOf({ MetricIntervalUpperBound }: Step): number {
  return MetricIntervalUpperBound ?? Number.POSITIVE_INFINITY;
}

function formatBounds(step: Step): string {
  return `${lowerOf(step)} to ${upperOf(step)}`;
}

/**
 * The step for a metric that is so far from the threshold: of positive bounds the lower one belongs to the step and the upper
 * one does not, of negative ones it is the other way round.
 * https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html
 */
function stepFor(steps: readonly Step[], distance: number): Step | undefined {
  return steps.find((step) => {
    const [lower, upper] = [lowerOf(step), upperOf(step)];
    return distance >= 0 ? distance >= lower && distance < upper : distance > lower && distance <= upper;
  });
}

/**
 * The capacity that the policy wants instead of `base`, for a metric so far from its threshold. Undefined when no step covers
 * that.
 */
export function adjustedCapacity(policy: StepPolicy, base: number, distance: number): number | undefined {
  const step = stepFor(policy.StepAdjustments, distance);
  if (step === undefined) {
    return undefined;
  }
  const { ScalingAdjustment: adjustment } = step;
  switch (policy.AdjustmentType) {
    case 'ExactCapacity':
      return adjustment;
    case 'ChangeInCapacity':
      return Math.max(0, base + adjustment);
    case 'PercentChangeInCapacity':
      return Math.max(0, base + percentOf(base, adjustment, policy.MinAdjustmentMagnitude ?? 0));
  }
}

/**
 * Above 1 rounded down, between 0 and 1 rounded to 1, likewise below 0.
 * https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html
 */
function percentOf(base: number, percent: number, least: number): number {
  const exact = (base * percent) / 100;
  const magnitude = Math.abs(exact) > 0 && Math.abs(exact) < 1 ? 1 : Math.floor(Math.abs(exact));
  return exact === 0 ? 0 : Math.sign(exact) * Math.max(magnitude, least);
}
