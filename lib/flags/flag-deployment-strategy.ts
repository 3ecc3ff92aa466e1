import { Duration } from 'aws-cdk-lib';
import { DeploymentStrategy, type IDeploymentStrategy, RolloutStrategy } from 'aws-cdk-lib/aws-appconfig';
import type { Construct } from 'constructs';
import { laneError } from '../common';

/** Options of {@link FlagDeploymentStrategy.linear}. */
export interface LinearFlagDeploymentOptions {
  /** Percentage of the workers' execution environments that each step adds: an integer between 1 and 100. */
  readonly percentage: number;
  /** Time from the first step to the last: whole minutes, at most a day. */
  readonly deploymentDuration: Duration;
  /** Time during which the alarms are watched after the last step: whole minutes, at most a day. */
  readonly bakeTime: Duration;
}

/** https://docs.aws.amazon.com/appconfig/2019-10-09/APIReference/API_CreateDeploymentStrategy.html */
const MAX_DURATION = Duration.days(1);

/**
 * How a changed configuration reaches the workers. Each step adds execution environments, each of which polls by itself:
 * during a deployment two tasks of a user may read the flags before and after the change. A task keeps the values that it
 * read first.
 */
export abstract class FlagDeploymentStrategy {
  /** In equal steps, followed by a bake time in which the alarms can still roll the change back. */
  static linear(options: LinearFlagDeploymentOptions): FlagDeploymentStrategy {
    return new LinearFlagDeployment(options);
  }

  /** To all environments at once, followed by a bake time in which the alarms can roll the change back. */
  static allAtOnce(bakeTime: Duration): FlagDeploymentStrategy {
    return new LinearFlagDeployment({ percentage: 100, deploymentDuration: Duration.minutes(0), bakeTime });
  }

  /** @internal */
  abstract _bind(scope: Construct, id: string): IDeploymentStrategy;
}

class LinearFlagDeployment extends FlagDeploymentStrategy {
  constructor(private readonly options: LinearFlagDeploymentOptions) {
    super();
  }

  /** @internal */
  _bind(scope: Construct, id: string): IDeploymentStrategy {
    const { percentage, deploymentDuration, bakeTime } = this.options;
    if (!Number.isInteger(percentage) || percentage < 1 || percentage > 100) {
      throw laneError(
        scope,
        'InvalidFlagDeployment',
        `flagDeployment: percentage must be an integer between 1 and 100, got ${percentage}`,
      );
    }
    for (const [property, duration] of Object.entries({ deploymentDuration, bakeTime })) {
      const seconds = duration.toSeconds();
      if (seconds % 60 !== 0 || seconds > MAX_DURATION.toSeconds()) {
        throw laneError(
          scope,
          'InvalidFlagDeployment',
          `flagDeployment: ${property} must be whole minutes, at most ${MAX_DURATION.toMinutes()}, got ${seconds} s; AppConfig counts in minutes`,
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
