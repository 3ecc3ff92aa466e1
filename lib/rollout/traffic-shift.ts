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

export interface CanaryShiftProps {
  /** Share of users that meet the candidate first, 1 to 99. */
  readonly percent: number;
  /** Whole minutes until the others follow. */
  readonly bake: Duration;
}

export interface LinearShiftProps {
  /** Share of users that is added with each step, 1 to 99. */
  readonly percent: number;
  /** Whole minutes between steps. */
  readonly every: Duration;
}

/** How users are moved from the stable lane to the candidate lane. */
export abstract class TrafficShift {
  /** A share first, the others after a time. */
  static canary(props: CanaryShiftProps): TrafficShift {
    return new CanaryShift(props);
  }

  /** A further share after each interval. */
  static linear(props: LinearShiftProps): TrafficShift {
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
  constructor(private readonly props: CanaryShiftProps) {
    super();
  }

  bind(scope: Construct): TrafficShiftConfig {
    const percentage = percentOf(scope, 'canary', this.props.percent);
    const interval = minutesOf(scope, 'canary: bake', this.props.bake);
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
  constructor(private readonly props: LinearShiftProps) {
    super();
  }

  bind(scope: Construct): TrafficShiftConfig {
    const percentage = percentOf(scope, 'linear', this.props.percent);
    const interval = minutesOf(scope, 'linear: every', this.props.every);
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

function percentOf(scope: Construct, what: string, percent: number): number {
  const limit = PlatformLimits.SHIFT_PERCENT;
  if (!Number.isInteger(percent) || percent < 1 || percent > limit.value) {
    throw laneError(
      scope,
      'ShiftPercent',
      `${what}: percent is ${percent}, expected a whole number of 1 to ${limit.value} ` +
        `(CodeDeploy: at most ${limit.value} ${limit.unit}, ${limit.source}); for all users at once use TrafficShift.allAtOnce()`,
    );
  }
  return percent;
}

function minutesOf(scope: Construct, what: string, duration: Duration): Duration {
  const seconds = duration.toSeconds();
  if (seconds < 60 || seconds % 60 !== 0) {
    throw laneError(
      scope,
      'ShiftInterval',
      `${what} is ${seconds} s, expected whole minutes, at least 1 ` +
        '(CodeDeploy counts in minutes, https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_TimeBasedCanary.html)',
    );
  }
  return Duration.minutes(seconds / 60);
}
