import { Duration } from 'aws-cdk-lib';
import { type ILambdaDeploymentConfig, LambdaDeploymentConfig, TrafficRouting } from 'aws-cdk-lib/aws-codedeploy';
import type { Construct } from 'constructs';
import { laneError } from '../common';
import { PlatformLimits } from '../contract';

/** A traffic shift as CodeDeploy needs it. */
export interface TrafficShiftConfig {
  /** Deployment configuration of the deployment group. */
  readonly deploymentConfig: ILambdaDeploymentConfig;
  /** Time from the first users on the candidate to the last. */
  readonly duration: Duration;
}

/** Options of {@link TrafficShift.canary}. */
export interface CanaryShiftOptions {
  /**
   * Percentage of the users that the first step moves to the candidate lane: an integer between 1 and 99
   * (https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_TimeBasedCanary.html).
   */
  readonly percentage: number;
  /** Time until the second step moves all other users: whole minutes, at least 1. */
  readonly bakeTime: Duration;
}

/** Options of {@link TrafficShift.linear}. */
export interface LinearShiftOptions {
  /**
   * Percentage of the users that each step moves to the candidate lane: an integer between 1 and 99
   * (https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_TimeBasedLinear.html).
   */
  readonly percentage: number;
  /** Time between two steps: whole minutes, at least 1. */
  readonly interval: Duration;
}

/** How users are moved from the stable lane to the candidate lane. */
export abstract class TrafficShift {
  /** A percentage of the users first, all others after the bake time. */
  static canary(options: CanaryShiftOptions): TrafficShift {
    return new CanaryShift(options);
  }

  /** A further percentage of the users after each interval. */
  static linear(options: LinearShiftOptions): TrafficShift {
    return new LinearShift(options);
  }

  /** All users at once: only the preflight protects them from a bad release. */
  static allAtOnce(): TrafficShift {
    return new AllAtOnceShift();
  }

  /**
   * A predefined CodeDeploy configuration if one matches, else a configuration of the agent's own: an account has at most
   * 50 of those, so there is one per agent and never one per release.
   *
   * @throws LaneError if CodeDeploy would refuse the shift
   *
   * @internal
   */
  abstract _bind(scope: Construct): TrafficShiftConfig;
}

/** `percent/minutes` → predefined configuration. */
const CANARIES: { readonly [key: string]: ILambdaDeploymentConfig } = {
  '10/5': LambdaDeploymentConfig.CANARY_10PERCENT_5MINUTES,
  '10/10': LambdaDeploymentConfig.CANARY_10PERCENT_10MINUTES,
  '10/15': LambdaDeploymentConfig.CANARY_10PERCENT_15MINUTES,
  '10/30': LambdaDeploymentConfig.CANARY_10PERCENT_30MINUTES,
};

const LINEARS: { readonly [key: string]: ILambdaDeploymentConfig } = {
  '10/1': LambdaDeploymentConfig.LINEAR_10PERCENT_EVERY_1MINUTE,
  '10/2': LambdaDeploymentConfig.LINEAR_10PERCENT_EVERY_2MINUTES,
  '10/3': LambdaDeploymentConfig.LINEAR_10PERCENT_EVERY_3MINUTES,
  '10/10': LambdaDeploymentConfig.LINEAR_10PERCENT_EVERY_10MINUTES,
};

class CanaryShift extends TrafficShift {
  constructor(private readonly options: CanaryShiftOptions) {
    super();
  }

  /** @internal */
  _bind(scope: Construct): TrafficShiftConfig {
    const percentage = percentageOf(scope, 'canary', this.options.percentage);
    const interval = minutesOf(scope, 'canary: bakeTime', this.options.bakeTime);
    return {
      deploymentConfig:
        CANARIES[`${percentage}/${interval.toMinutes()}`] ??
        new LambdaDeploymentConfig(scope, 'DeploymentConfig', {
          trafficRouting: TrafficRouting.timeBasedCanary({ percentage, interval }),
        }),
      duration: interval,
    };
  }
}

class LinearShift extends TrafficShift {
  constructor(private readonly options: LinearShiftOptions) {
    super();
  }

  /** @internal */
  _bind(scope: Construct): TrafficShiftConfig {
    const percentage = percentageOf(scope, 'linear', this.options.percentage);
    const interval = minutesOf(scope, 'linear: interval', this.options.interval);
    const steps = Math.ceil(100 / percentage);
    return {
      deploymentConfig:
        LINEARS[`${percentage}/${interval.toMinutes()}`] ??
        new LambdaDeploymentConfig(scope, 'DeploymentConfig', {
          trafficRouting: TrafficRouting.timeBasedLinear({ percentage, interval }),
        }),
      duration: Duration.minutes((steps - 1) * interval.toMinutes()),
    };
  }
}

class AllAtOnceShift extends TrafficShift {
  /** @internal */
  _bind(): TrafficShiftConfig {
    return { deploymentConfig: LambdaDeploymentConfig.ALL_AT_ONCE, duration: Duration.minutes(0) };
  }
}

function percentageOf(scope: Construct, what: string, percentage: number): number {
  const limit = PlatformLimits.SHIFT_PERCENT;
  if (!Number.isInteger(percentage) || percentage < 1 || percentage > limit.value) {
    throw laneError(
      scope,
      'InvalidShiftPercentage',
      `${what}: percentage must be an integer between 1 and ${limit.value}, got ${percentage} ` +
        `(CodeDeploy: at most ${limit.value} ${limit.unit}, ${limit.source}); for all users at once use TrafficShift.allAtOnce()`,
    );
  }
  return percentage;
}

function minutesOf(scope: Construct, what: string, duration: Duration): Duration {
  const seconds = duration.toSeconds();
  if (seconds < 60 || seconds % 60 !== 0) {
    throw laneError(
      scope,
      'InvalidShiftInterval',
      `${what} must be whole minutes, at least 1, got ${seconds} s ` +
        '(CodeDeploy counts in minutes, https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_TimeBasedCanary.html)',
    );
  }
  return Duration.minutes(seconds / 60);
}
