import { Duration } from 'aws-cdk-lib';
import { type ILambdaDeploymentConfig, LambdaDeploymentConfig, TrafficRouting } from 'aws-cdk-lib/aws-codedeploy';
import type { Construct } from 'constructs';
import { laneError } from '../common/errors';
import { PlatformLimits } from '../contract';

/** A traffic shift as CodeDeploy knows it. */
export interface TrafficShiftConfig {
  readonly deploymentConfig: ILambdaDeploymentConfig;
  /** From the first users on the candidate to the last. */
  readonly duration: Duration;
}

export interface CanaryShiftOptions {
  /** Share of users that meet the candidate first, 1 to 99. */
  readonly percentage: number;
  /** Whole minutes until the others follow. */
  readonly bakeTime: Duration;
}

export interface LinearShiftOptions {
  /** Share of users that is added with each step, 1 to 99. */
  readonly percentage: number;
  /** Whole minutes between steps. */
  readonly interval: Duration;
}

/** How users are moved from the stable lane to the candidate lane. */
export abstract class TrafficShift {
  /** A share first, the others after a time. */
  static canary(props: CanaryShiftOptions): TrafficShift {
    return new CanaryShift(props);
  }

  /** A further share after each interval. */
  static linear(props: LinearShiftOptions): TrafficShift {
    return new LinearShift(props);
  }

  /** All at once: the preflight alone stands between a release and every user. */
  static allAtOnce(): TrafficShift {
    return new AllAtOnceShift();
  }

  /**
   * A predefined CodeDeploy configuration if one matches, else a configuration of the agent's own: an account has 50 of
   * those, so there is one per agent and never one per release.
   *
   * @throws if CodeDeploy would refuse the shift
   */
  abstract bind(scope: Construct): TrafficShiftConfig;
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
  constructor(private readonly props: CanaryShiftOptions) {
    super();
  }

  bind(scope: Construct): TrafficShiftConfig {
    const percentage = percentageOf(scope, 'canary', this.props.percentage);
    const interval = minutesOf(scope, 'canary: bakeTime', this.props.bakeTime);
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
  constructor(private readonly props: LinearShiftOptions) {
    super();
  }

  bind(scope: Construct): TrafficShiftConfig {
    const percentage = percentageOf(scope, 'linear', this.props.percentage);
    const interval = minutesOf(scope, 'linear: interval', this.props.interval);
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
  bind(): TrafficShiftConfig {
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
