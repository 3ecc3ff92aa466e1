import type { RehearsalClock } from '../../core/clock';
import type { ScalingPort } from '../../core/ports';
import type { ResourceHandler } from '../../core/resource';
import { type ScalableServices, ScalableTargets, type ScalingActivity } from './model';
import { scalableTargetHandler, scalingPolicyHandler } from './resources';

export type { ScalableServices, ScalingActivity } from './model';

export interface ApplicationAutoScalingDeps {
  readonly clock: RehearsalClock;
  readonly services: ScalableServices;
  readonly onActivity?: (activity: ScalingActivity) => void;
}

export interface ApplicationAutoScaling {
  readonly handlers: readonly ResourceHandler[];
  /** For the actions of alarms. */
  readonly port: ScalingPort;
  /** Oldest first. */
  activities(): readonly ScalingActivity[];
}

/** Application Auto Scaling as far as it scales ECS services by steps. */
export function createApplicationAutoScaling(deps: ApplicationAutoScalingDeps): ApplicationAutoScaling {
  const targets = new ScalableTargets(deps.clock, deps.services, deps.onActivity ?? (() => undefined));
  return {
    handlers: [scalableTargetHandler(targets, deps.services), scalingPolicyHandler(targets)],
    port: {
      owns: (arn) => /^arn:[^:]+:autoscaling:[^:]*:\d+:scalingPolicy:/.test(arn),
      invoke: (arn, value) => targets.invoke(arn, value),
    },
    activities: () => targets.activities,
  };
}
