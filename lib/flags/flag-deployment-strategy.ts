import { Duration } from 'aws-cdk-lib';
import { DeploymentStrategy, type IDeploymentStrategy, RolloutStrategy } from 'aws-cdk-lib/aws-appconfig';
import type { Construct } from 'constructs';
import { laneError } from '../common';

export interface LinearFlagDeploymentOptions {
  /** Share of the workers' environments that gets the new configuration with each step, 1 to 100. */
  readonly percentage: number;
  /** From the first step to the last: whole minutes, at most a day. */
  readonly deploymentDuration: Duration;
  /** For which the alarms are watched once all have it: whole minutes, at most a day. */
  readonly bakeTime: Duration;
}

/** https://docs.aws.amazon.com/appconfig/2019-10-09/APIReference/API_CreateDeploymentStrategy.html */
const MAX_DURATION = Duration.days(1);

/**
 * How a changed configuration reaches the workers. It grows over execution environments, each of which asks for itself:
 * while it does, two tasks of a user may meet the flags before and after the change. A task keeps what it met first.
 */
export abstract class FlagDeploymentStrategy {
  /** Step by step, and then a time in which the alarms may still take it back. */
  static linear(props: LinearFlagDeploymentOptions): FlagDeploymentStrategy {
    return new Linear(props);
  }

  /** To all environments at once, and then a time in which the alarms may take it back: no user goes back and forth. */
  static allAtOnce(bakeTime: Duration): FlagDeploymentStrategy {
    return new Linear({ percentage: 100, deploymentDuration: Duration.minutes(0), bakeTime });
  }

  /** @internal */
  abstract _bind(scope: Construct, id: string): IDeploymentStrategy;
}

class Linear extends FlagDeploymentStrategy {
  constructor(private readonly props: LinearFlagDeploymentOptions) {
    super();
  }

  /** @internal */
  _bind(scope: Construct, id: string): IDeploymentStrategy {
    const { percentage, deploymentDuration, bakeTime } = this.props;
    if (!Number.isInteger(percentage) || percentage < 1 || percentage > 100) {
      throw laneError(
        scope,
        'InvalidFlagDeployment',
        `flagDeployment: percentage must be an integer between 1 and 100, got ${percentage}`,
      );
    }
    for (const [what, duration] of Object.entries({ deploymentDuration, bakeTime })) {
      const seconds = duration.toSeconds();
      if (seconds % 60 !== 0 || seconds > MAX_DURATION.toSeconds()) {
        throw laneError(
          scope,
          'InvalidFlagDeployment',
          `flagDeployment: ${what} must be whole minutes, at most ${MAX_DURATION.toMinutes()}, got ${seconds} s; AppConfig counts in minutes`,
        );
      }
    }
    return new DeploymentStrategy(scope, id, {
      rolloutStrategy: RolloutStrategy.linear({
        growthFactor: percentage,
        deploymentDuration,
        finalBakeTime: bakeTime,
      }),
    });
  }
}
