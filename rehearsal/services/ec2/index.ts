import type { IamPort } from '../../core/ports';
import type { ResourceHandler } from '../../core/resource';
import { Ec2Resources } from './model';
import { type NetworkPlacement, unreachableReason } from './reachability';
import { RESOURCE_TYPES } from './resource-types';
import { flowLogHandler, resourceHandler } from './resources';

export type { NetworkPlacement } from './reachability';

export interface Ec2Deps {
  readonly iam: IamPort;
}

export interface Ec2 {
  readonly handlers: readonly ResourceHandler[];
  /** Zone of a subnet; undefined if there is none of that id. */
  zoneOf(subnet: string): string | undefined;
  /** Why a service (`sqs`, `ecr.api`, `internet`) cannot be reached from a place; undefined when it can. */
  unreachable(place: NetworkPlacement, service: string): string | undefined;
}

/** EC2: VPCs and the resources in them, and which services can be reached from a subnet. */
export function createEc2({ iam }: Ec2Deps): Ec2 {
  const inventory = new Ec2Resources();
  return {
    handlers: [...RESOURCE_TYPES.map((kind) => resourceHandler(kind, inventory)), flowLogHandler(inventory, iam)],
    zoneOf: (subnet) => {
      const item = inventory.get(subnet);
      return item === undefined ? undefined : String(item.properties.AvailabilityZone ?? 'us-east-1a');
    },
    unreachable: (place, service) => unreachableReason(inventory, place, service),
  };
}
