import { z } from 'zod';

/** How traffic moves to the new version. Times in cloud milliseconds. */
export type TrafficShift =
  | { readonly kind: 'allAtOnce' }
  | { readonly kind: 'canary'; readonly percent: number; readonly intervalMs: number }
  | { readonly kind: 'linear'; readonly percent: number; readonly intervalMs: number };

/** One step: the new version's share from now on, and how long it stays. */
export interface ShiftStep {
  /** 0 to 1. */
  readonly weight: number;
  readonly bakeMs: number;
}

const MINUTE = 60_000;

/** Source: https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-configurations.html */
const PREDEFINED: Readonly<Record<string, TrafficShift>> = {
  'CodeDeployDefault.LambdaAllAtOnce': { kind: 'allAtOnce' },
  'CodeDeployDefault.LambdaCanary10Percent5Minutes': { kind: 'canary', percent: 10, intervalMs: 5 * MINUTE },
  'CodeDeployDefault.LambdaCanary10Percent10Minutes': { kind: 'canary', percent: 10, intervalMs: 10 * MINUTE },
  'CodeDeployDefault.LambdaCanary10Percent15Minutes': { kind: 'canary', percent: 10, intervalMs: 15 * MINUTE },
  'CodeDeployDefault.LambdaCanary10Percent30Minutes': { kind: 'canary', percent: 10, intervalMs: 30 * MINUTE },
  'CodeDeployDefault.LambdaLinear10PercentEvery1Minute': { kind: 'linear', percent: 10, intervalMs: MINUTE },
  'CodeDeployDefault.LambdaLinear10PercentEvery2Minutes': { kind: 'linear', percent: 10, intervalMs: 2 * MINUTE },
  'CodeDeployDefault.LambdaLinear10PercentEvery3Minutes': { kind: 'linear', percent: 10, intervalMs: 3 * MINUTE },
  'CodeDeployDefault.LambdaLinear10PercentEvery10Minutes': { kind: 'linear', percent: 10, intervalMs: 10 * MINUTE },
};

export function predefinedShift(name: string): TrafficShift | undefined {
  return Object.hasOwn(PREDEFINED, name) ? PREDEFINED[name] : undefined;
}

/** Steps of the shift; the last has weight 1 and no bake. */
export function stepsOf(shift: TrafficShift): readonly ShiftStep[] {
  switch (shift.kind) {
    case 'allAtOnce':
      return [{ weight: 1, bakeMs: 0 }];
    case 'canary':
      return [
        { weight: shift.percent / 100, bakeMs: shift.intervalMs },
        { weight: 1, bakeMs: 0 },
      ];
    case 'linear': {
      const count = Math.ceil(100 / shift.percent);
      return Array.from({ length: count }, (_, index) => ({
        weight: Math.min(100, shift.percent * (index + 1)) / 100,
        bakeMs: index === count - 1 ? 0 : shift.intervalMs,
      }));
    }
  }
}

/** CloudFormation hands numbers over as text as well. */
const whole = z.union([z.number(), z.string().regex(/^\d+$/).transform(Number)]).pipe(z.number().int());
/** At most 99 % a step; first to last shift at most 2,880 minutes. */
const percent = whole.pipe(z.number().min(1).max(99));
const minutes = whole.pipe(z.number().min(1).max(2880));

const routingSchema = z.discriminatedUnion('Type', [
  z.object({ Type: z.literal('AllAtOnce') }),
  z.object({
    Type: z.literal('TimeBasedCanary'),
    TimeBasedCanary: z.object({ CanaryPercentage: percent, CanaryInterval: minutes }),
  }),
  z.object({
    Type: z.literal('TimeBasedLinear'),
    TimeBasedLinear: z.object({ LinearPercentage: percent, LinearInterval: minutes }),
  }),
]);

/**
 * Reads `TrafficRoutingConfig`. Limits: https://docs.aws.amazon.com/codedeploy/latest/userguide/limits.html
 *
 * @throws Error naming the property
 */
export function readTrafficRouting(value: unknown): TrafficShift {
  const parsed = routingSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new Error(`TrafficRoutingConfig.${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`);
  }
  const routing = parsed.data;
  switch (routing.Type) {
    case 'AllAtOnce':
      return { kind: 'allAtOnce' };
    case 'TimeBasedCanary':
      return {
        kind: 'canary',
        percent: routing.TimeBasedCanary.CanaryPercentage,
        intervalMs: routing.TimeBasedCanary.CanaryInterval * MINUTE,
      };
    case 'TimeBasedLinear': {
      const shift: TrafficShift = {
        kind: 'linear',
        percent: routing.TimeBasedLinear.LinearPercentage,
        intervalMs: routing.TimeBasedLinear.LinearInterval * MINUTE,
      };
      const total = stepsOf(shift).reduce((sum, step) => sum + step.bakeMs, 0) / MINUTE;
      if (total > 2880) {
        throw new Error(
          `TrafficRoutingConfig.TimeBasedLinear: ${total} minutes from first to last shift; CodeDeploy allows 2,880`,
        );
      }
      return shift;
    }
  }
}
