import type { CfnService } from 'aws-cdk-lib/aws-ecs';
import { describeValue, laneError } from '../../common';

/** How on-demand and Spot containers are mixed. */
export interface FargateMixOptions {
  /** Workers that run on demand before any runs on Spot, 0 or more. @default 2 */
  readonly onDemandBase?: number;
  /** Beyond the base: so many parts on demand… 0 to 1000. @default 1 */
  readonly onDemandWeight?: number;
  /** …to so many parts on Spot, 1 to 1000. @default 1 */
  readonly spotWeight?: number;
}

/** https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProviderStrategyItem.html */
const MAX_BASE = 100_000;
const MAX_WEIGHT = 1_000;

/**
 * Which containers AWS sells: on demand, or Spot at a discount of about two thirds.
 *
 * What Spot means for tasks: AWS may take a container back at any time, with two minutes' warning, and task protection does
 * not help against it. The worker is told as at any stop: it takes no new task, and what it cannot finish within
 * `stopTimeout` it hands back with the steps that are done. Such a task uses no attempt and loses no finished step, but its
 * running step is run again, on another worker, after a wait for a place. So Spot suits tasks of many short steps, and does
 * not suit a single step of an hour. When a zone has no Spot capacity left, nothing starts there until there is some.
 */
export abstract class FargateCapacity {
  /** Containers that AWS does not take back. */
  static onDemand(): FargateCapacity {
    return new Strategy('on demand', [{ capacityProvider: 'FARGATE', weight: 1 }]);
  }

  /** Spot alone. In production a lane may then be without any worker while there is no capacity. */
  static spot(): FargateCapacity {
    return new Strategy('spot', [{ capacityProvider: 'FARGATE_SPOT', weight: 1 }]);
  }

  /** Some on demand, so that the lane always works, and Spot beyond. */
  static mix(options: FargateMixOptions = {}): FargateCapacity {
    const { onDemandBase = 2, onDemandWeight = 1, spotWeight = 1 } = options;
    whole('onDemandBase', onDemandBase, 0, MAX_BASE);
    whole('onDemandWeight', onDemandWeight, 0, MAX_WEIGHT);
    whole('spotWeight', spotWeight, 1, MAX_WEIGHT);
    return new Strategy(`mix of ${onDemandBase} on demand, then ${onDemandWeight} to ${spotWeight} on spot`, [
      { capacityProvider: 'FARGATE', base: onDemandBase, weight: onDemandWeight },
      { capacityProvider: 'FARGATE_SPOT', weight: spotWeight },
    ]);
  }

  /** In words, to be compared between environments. */
  abstract readonly description: string;

  /** Whether a lane can lose all its workers to Spot. */
  abstract readonly spotOnly: boolean;

  /** @internal */
  abstract _strategy(): CfnService.CapacityProviderStrategyItemProperty[];
}

class Strategy extends FargateCapacity {
  constructor(
    readonly description: string,
    private readonly items: readonly CfnService.CapacityProviderStrategyItemProperty[],
  ) {
    super();
  }

  get spotOnly(): boolean {
    return this.items.every(({ capacityProvider }) => capacityProvider === 'FARGATE_SPOT');
  }

  _strategy(): CfnService.CapacityProviderStrategyItemProperty[] {
    return [...this.items];
  }
}

function whole(name: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw laneError(
      undefined,
      'InvalidCapacityMix',
      `${name} of FargateCapacity.mix must be an integer between ${least} and ${most}, got ${describeValue(value)} (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProviderStrategyItem.html)`,
    );
  }
}
