import { Duration } from 'aws-cdk-lib';
import { DeploymentStrategy, type IDeploymentStrategy, RolloutStrategy } from 'aws-cdk-lib/aws-appconfig';
import type { Construct } from 'constructs';
import { laneError } from '../common';

export interface LinearGrowthProps {
  /** Share of the workers' environments that gets the new configuration with each step, 1 to 100. */
  readonly percent: number;
  /** From the first step to the last: whole minutes, at most a day. */
  readonly over: Duration;
  /** For which the alarms are watched once all have it: whole minutes, at most a day. */
  readonly bake: Duration;
}

/** https://docs.aws.amazon.com/appconfig/2019-10-09/APIReference/API_CreateDeploymentStrategy.html */
const LONGEST = Duration.days(1);

/**
 * How a changed configuration reaches the workers. It grows over execution environments, each of which asks for itself:
 * while it does, two tasks of a user may meet the flags before and after the change. A task keeps what it met first.
 */
export abstract class FlagDeploymentStrategy {
  /** Step by step, and then a time in which the alarms may still take it back. */
  static linear(props: LinearGrowthProps): FlagDeploymentStrategy {
    return new Linear(props);
  }

  /** To all environments at once, and then a time in which the alarms may take it back: no user goes back and forth. */
  static allAtOnce(bake: Duration): FlagDeploymentStrategy {
    return new Linear({ percent: 100, over: Duration.minutes(0), bake });
  }

  /** @internal */
  abstract _bind(scope: Construct, id: string): IDeploymentStrategy;
}

class Linear extends FlagDeploymentStrategy {
  constructor(private readonly props: LinearGrowthProps) {
    super();
  }

  /** @internal */
  _bind(scope: Construct, id: string): IDeploymentStrategy {
    const { percent, over, bake } = this.props;
    if (!Number.isInteger(percent) || percent < 1 || percent > 100) {
      throw laneError(
        scope,
        'FlagDeploymentStrategy',
        `growth of the flags: percent is ${percent}, expected a whole number from 1 to 100`,
      );
    }
    for (const [what, duration] of Object.entries({ over, bake })) {
      const seconds = duration.toSeconds();
      if (seconds % 60 !== 0 || seconds > LONGEST.toSeconds()) {
        throw laneError(
          scope,
          'FlagDeploymentStrategy',
          `growth of the flags: ${what} is ${seconds} s, expected whole minutes, at most ${LONGEST.toMinutes()}, for AppConfig counts in minutes`,
        );
      }
    }
    return new DeploymentStrategy(scope, id, {
      rolloutStrategy: RolloutStrategy.linear({ growthFactor: percent, deploymentDuration: over, finalBakeTime: bake }),
    });
  }
}
