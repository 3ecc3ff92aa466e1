import { z } from 'zod';
import type { Ec2Resource, Ec2Resources } from './model';
import { egressSchema, ingressSchema, TYPES } from './resource-types';

/** Subnet, public address and security groups of a network interface. */
export interface NetworkPlacement {
  readonly subnet: string;
  readonly publicIp: boolean;
  readonly securityGroups: readonly string[];
}

type Ingress = z.infer<typeof ingressSchema>;
type Egress = z.infer<typeof egressSchema>;

const ANYWHERE = '0.0.0.0/0';
const HTTPS = 443;

/**
 * Why an AWS service cannot be reached over HTTPS from a placement; undefined when it can. There are two routes: through the
 * internet, with a public address in a subnet that has a route to an internet gateway, or through an endpoint in the VPC.
 * Everything can be reached from a subnet that is not in this cloud.
 *
 * Security group rules are evaluated by group, and by address block if the block is the whole VPC or everything. There are no
 * network ACLs.
 *
 * @param service as endpoints name it: `sqs`, `ecr.api`; `internet` for addresses outside AWS
 * @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-task-networking.html
 * @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/vpc-endpoints.html
 */
export function unreachableReason(
  inventory: Ec2Resources,
  place: NetworkPlacement,
  service: string,
): string | undefined {
  const subnet = inventory.get(place.subnet);
  if (subnet === undefined) {
    return undefined;
  }
  const table = routeTableOf(inventory, subnet);
  const gateway = inventory
    .ofType(TYPES.ROUTE)
    .find(({ properties }) => properties.RouteTableId === table && properties.DestinationCidrBlock === ANYWHERE);
  const egress = place.securityGroups.flatMap((group) => egressOf(inventory, group));
  if (gateway !== undefined && place.publicIp) {
    const out = egress.some((rule) => rule.CidrIp === ANYWHERE && coversHttps(rule));
    return out ? undefined : `no security group of ${place.securityGroups.join(', ')} lets HTTPS out to ${ANYWHERE}`;
  }
  const found = endpointsOf(inventory, subnet, table, service);
  if (found.length === 0) {
    const way = gateway === undefined ? 'has no way to the internet' : 'is public, and there is no public address';
    return `subnet ${place.subnet} ${way}, and there is no endpoint of ${service}`;
  }
  const open = found.some((endpoint) => allowsHttps(inventory, endpoint, place, egress));
  return open ? undefined : `security groups keep HTTPS from the endpoint of ${service}`;
}

function routeTableOf(inventory: Ec2Resources, subnet: Ec2Resource): unknown {
  return inventory.ofType(TYPES.ASSOCIATION).find(({ properties }) => properties.SubnetId === subnet.id)?.properties
    .RouteTableId;
}

function endpointsOf(
  inventory: Ec2Resources,
  subnet: Ec2Resource,
  table: unknown,
  service: string,
): readonly Ec2Resource[] {
  return inventory.ofType(TYPES.ENDPOINT).filter(({ properties }) => {
    const named = String(properties.ServiceName).endsWith(`.${service}`);
    if (!named || properties.VpcId !== subnet.properties.VpcId) {
      return false;
    }
    return properties.VpcEndpointType === 'Interface'
      ? // Without private DNS the service's name resolves to its public addresses.
        properties.PrivateDnsEnabled === true
      : (properties.RouteTableIds as readonly string[] | undefined)?.includes(String(table)) === true;
  });
}

function allowsHttps(
  inventory: Ec2Resources,
  endpoint: Ec2Resource,
  place: NetworkPlacement,
  egress: readonly Egress[],
): boolean {
  const { properties } = endpoint;
  const out = (group?: string) =>
    egress.some(
      (rule) =>
        coversHttps(rule) &&
        (rule.CidrIp === ANYWHERE ||
          rule.CidrIp === inventory.get(String(properties.VpcId))?.properties.CidrBlock ||
          rule.DestinationPrefixListId !== undefined ||
          rule.DestinationSecurityGroupId === group),
    );
  if (properties.VpcEndpointType !== 'Interface') {
    return out();
  }
  const vpc = inventory.get(String(properties.VpcId))?.properties.CidrBlock;
  const groups = (properties.SecurityGroupIds as readonly string[] | undefined) ?? [];
  return groups.some(
    (group) =>
      out(group) &&
      ingressOf(inventory, group).some(
        (rule) =>
          coversHttps(rule) &&
          (rule.CidrIp === ANYWHERE ||
            rule.CidrIp === vpc ||
            place.securityGroups.includes(rule.SourceSecurityGroupId ?? '')),
      ),
  );
}

/** Egress of a group without egress rules: everything is allowed. */
const DEFAULT_EGRESS: Egress = { CidrIp: ANYWHERE, IpProtocol: '-1' };

function egressOf(inventory: Ec2Resources, group: string): readonly Egress[] {
  const own = inventory.get(group)?.properties.SecurityGroupEgress;
  const further = inventory.ofType(TYPES.EGRESS).filter(({ properties }) => properties.GroupId === group);
  const inline = z.array(egressSchema).safeParse(own);
  return [
    ...(inline.success ? inline.data : [DEFAULT_EGRESS]),
    ...further.flatMap(({ properties: { GroupId: _, ...rule } }) => egressSchema.safeParse(rule).data ?? []),
  ];
}

function ingressOf(inventory: Ec2Resources, group: string): readonly Ingress[] {
  const inline = z.array(ingressSchema).safeParse(inventory.get(group)?.properties.SecurityGroupIngress);
  const further = inventory.ofType(TYPES.INGRESS).filter(({ properties }) => properties.GroupId === group);
  return [
    ...(inline.data ?? []),
    ...further.flatMap(({ properties: { GroupId: _, ...rule } }) => ingressSchema.safeParse(rule).data ?? []),
  ];
}

function coversHttps({
  IpProtocol,
  FromPort = 0,
  ToPort = 65_535,
}: Pick<Ingress, 'IpProtocol' | 'FromPort' | 'ToPort'>): boolean {
  return IpProtocol === '-1' || (IpProtocol === 'tcp' && FromPort <= HTTPS && ToPort >= HTTPS);
}
