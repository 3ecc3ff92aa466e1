import type { CfnService } from 'aws-cdk-lib/aws-ecs';
import { describeValue, laneError } from '../../common';

/** Options of `FargateCapacity.mix`. */
export interface FargateMixOptions {
  /** Workers that run on demand before any runs on Spot, 0 to 100,000. @default 2 */
  readonly onDemandBase?: number;
  /** Relative share of on-demand workers beyond the base, 0 to 1,000. @default 1 */
  readonly onDemandWeight?: number;
  /** Relative share of Spot workers beyond the base, 1 to 1,000. @default 1 */
  readonly spotWeight?: number;
}

/** https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProviderStrategyItem.html */
const MAX_BASE = 100_000;
const MAX_WEIGHT = 1_000;

/**
 * Capacity of the containers: on demand, or Spot at a discount of about two thirds.
 *
 * AWS may reclaim a Spot container at any time, with two minutes' warning; task protection does not prevent it. The worker
 * handles it like any stop: it takes no new task, and requeues what it cannot finish within `stopTimeout` with its finished
 * steps. Such a task uses no attempt and loses no finished step, but its running step runs again on another worker. So Spot
 * suits tasks with many short steps, and does not suit a single step of an hour. When a zone has no Spot capacity, no
 * container starts there until it has.
 */
export abstract class FargateCapacity {
  /** Containers that AWS does not reclaim. */
  static onDemand(): FargateCapacity {
    return new Strategy('on demand', [{ capacityProvider: 'FARGATE', weight: 1 }]);
  }

  /** Spot only. A lane may have no worker while AWS has no spare capacity. */
  static spot(): FargateCapacity {
    return new Strategy('spot', [{ capacityProvider: 'FARGATE_SPOT', weight: 1 }]);
  }

  /** A base on demand, so that the lane always has workers, and Spot beyond it. */
  static mix(options: FargateMixOptions = {}): FargateCapacity {
    const { onDemandBase = 2, onDemandWeight = 1, spotWeight = 1 } = options;
    checkMixNumber('onDemandBase', onDemandBase, 0, MAX_BASE);
    checkMixNumber('onDemandWeight', onDemandWeight, 0, MAX_WEIGHT);
    checkMixNumber('spotWeight', spotWeight, 1, MAX_WEIGHT);
    return new Strategy(`mix of ${onDemandBase} on demand, then ${onDemandWeight} to ${spotWeight} on spot`, [
      { capacityProvider: 'FARGATE', base: onDemandBase, weight: onDemandWeight },
      { capacityProvider: 'FARGATE_SPOT', weight: spotWeight },
    ]);
  }

  /** Description, to compare environments. */
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

function checkMixNumber(name: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw laneError(
      undefined,
      'InvalidCapacityMix',
      `${name} of FargateCapacity.mix must be an integer between ${min} and ${max}, got ${describeValue(value)} (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProviderStrategyItem.html)`,
    );
  }
}
