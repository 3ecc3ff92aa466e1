import { z } from 'zod';
import { cfnBoolean, cfnNumber, cfnTags } from '../../core/properties';
import { ResourceFailure } from '../../core/resource';
import type { Ec2Resource, Ec2Resources } from './model';

/** A resource type that does nothing but exist: what it may say, what must be there for it, what it answers. */
export interface ResourceTypeDefinition {
  readonly type: string;
  /** Last part of the address of its page in the template reference. */
  readonly page: string;
  /** Of its ids. */
  readonly prefix: string;
  readonly schema: z.ZodType<Readonly<Record<string, unknown>>> & { readonly shape: object };
  /** Properties whose change means another one. */
  readonly replaceOn: readonly string[];
  /** Properties that hold ids (or lists of ids), with the type that each must be of. */
  readonly references: Readonly<Record<string, string>>;
  /** What `Fn::GetAtt` gives. */
  attributes(item: Ec2Resource): Readonly<Record<string, string>>;
  /** @throws ResourceFailure for what EC2 would not take */
  check?(properties: Readonly<Record<string, unknown>>, inventory: Ec2Resources): void;
}

const VPC = 'AWS::EC2::VPC';
const SUBNET = 'AWS::EC2::Subnet';
const INTERNET_GATEWAY = 'AWS::EC2::InternetGateway';
const ATTACHMENT = 'AWS::EC2::VPCGatewayAttachment';
const ROUTE_TABLE = 'AWS::EC2::RouteTable';
const ROUTE = 'AWS::EC2::Route';
const ASSOCIATION = 'AWS::EC2::SubnetRouteTableAssociation';
const SECURITY_GROUP = 'AWS::EC2::SecurityGroup';
const INGRESS = 'AWS::EC2::SecurityGroupIngress';
const EGRESS = 'AWS::EC2::SecurityGroupEgress';
const ENDPOINT = 'AWS::EC2::VPCEndpoint';

export const TYPES = {
  VPC,
  SUBNET,
  INTERNET_GATEWAY,
  ATTACHMENT,
  ROUTE_TABLE,
  ROUTE,
  ASSOCIATION,
  SECURITY_GROUP,
  INGRESS,
  EGRESS,
  ENDPOINT,
} as const;

const cidr = z.string().regex(/^\d{1,3}(\.\d{1,3}){3}\/\d{1,2}$/, 'expected an IPv4 block');
const ports = {
  Description: z.string().optional(),
  FromPort: cfnNumber.optional(),
  IpProtocol: z.union([z.string(), z.number()]).transform(String),
  ToPort: cfnNumber.optional(),
};

/** A rule that lets in. */
export const ingressSchema = z.strictObject({
  ...ports,
  CidrIp: cidr.optional(),
  CidrIpv6: z.string().optional(),
  SourcePrefixListId: z.string().optional(),
  SourceSecurityGroupId: z.string().optional(),
});

/** A rule that lets out. */
export const egressSchema = z.strictObject({
  ...ports,
  CidrIp: cidr.optional(),
  CidrIpv6: z.string().optional(),
  DestinationPrefixListId: z.string().optional(),
  DestinationSecurityGroupId: z.string().optional(),
});

const gateway = /^igw-/;

export const RESOURCE_TYPES: readonly ResourceTypeDefinition[] = [
  {
    type: VPC,
    page: 'vpc',
    prefix: 'vpc',
    schema: z.strictObject({
      CidrBlock: cidr,
      EnableDnsHostnames: cfnBoolean.optional(),
      EnableDnsSupport: cfnBoolean.optional(),
      InstanceTenancy: z.literal('default').optional(),
      Tags: cfnTags.optional(),
    }),
    replaceOn: ['CidrBlock'],
    references: {},
    attributes: ({ id, properties }) => ({
      VpcId: id,
      CidrBlock: String(properties.CidrBlock),
      DefaultSecurityGroup: id.replace('vpc-', 'sg-'),
      DefaultNetworkAcl: id.replace('vpc-', 'acl-'),
    }),
  },
  {
    type: SUBNET,
    page: 'subnet',
    prefix: 'subnet',
    schema: z.strictObject({
      AvailabilityZone: z.string().optional(),
      CidrBlock: cidr,
      MapPublicIpOnLaunch: cfnBoolean.optional(),
      Tags: cfnTags.optional(),
      VpcId: z.string(),
    }),
    replaceOn: ['AvailabilityZone', 'CidrBlock', 'VpcId'],
    references: { VpcId: VPC },
    attributes: ({ id, properties }) => ({
      SubnetId: id,
      AvailabilityZone: String(properties.AvailabilityZone ?? 'us-east-1a'),
      CidrBlock: String(properties.CidrBlock),
      VpcId: String(properties.VpcId),
    }),
  },
  {
    type: INTERNET_GATEWAY,
    page: 'internetgateway',
    prefix: 'igw',
    schema: z.strictObject({ Tags: cfnTags.optional() }),
    replaceOn: [],
    references: {},
    attributes: ({ id }) => ({ InternetGatewayId: id }),
  },
  {
    type: ATTACHMENT,
    page: 'vpcgatewayattachment',
    prefix: 'attachment',
    schema: z.strictObject({ InternetGatewayId: z.string(), VpcId: z.string() }),
    replaceOn: ['VpcId'],
    references: { InternetGatewayId: INTERNET_GATEWAY, VpcId: VPC },
    attributes: () => ({ AttachmentType: 'IGW' }),
  },
  {
    type: ROUTE_TABLE,
    page: 'routetable',
    prefix: 'rtb',
    schema: z.strictObject({ Tags: cfnTags.optional(), VpcId: z.string() }),
    replaceOn: ['VpcId'],
    references: { VpcId: VPC },
    attributes: ({ id }) => ({ RouteTableId: id }),
  },
  {
    type: ROUTE,
    page: 'route',
    prefix: 'route',
    schema: z.strictObject({
      DestinationCidrBlock: cidr,
      GatewayId: z.string().regex(gateway, 'expected an internet gateway: no other is rehearsable'),
      RouteTableId: z.string(),
    }),
    replaceOn: ['DestinationCidrBlock', 'RouteTableId'],
    references: { GatewayId: INTERNET_GATEWAY, RouteTableId: ROUTE_TABLE },
    attributes: ({ properties }) => ({ CidrBlock: String(properties.DestinationCidrBlock) }),
    check: ({ GatewayId, RouteTableId }, inventory) => {
      const vpc = inventory.get(String(RouteTableId))?.properties.VpcId;
      const attached = inventory
        .ofType(ATTACHMENT)
        .some(({ properties }) => properties.InternetGatewayId === GatewayId && properties.VpcId === vpc);
      if (!attached) {
        throw new ResourceFailure(
          `InvalidParameterValue: route table ${RouteTableId} and network gateway ${GatewayId} belong to different networks`,
        );
      }
    },
  },
  {
    type: ASSOCIATION,
    page: 'subnetroutetableassociation',
    prefix: 'rtbassoc',
    schema: z.strictObject({ RouteTableId: z.string(), SubnetId: z.string() }),
    replaceOn: ['SubnetId'],
    references: { RouteTableId: ROUTE_TABLE, SubnetId: SUBNET },
    attributes: ({ id }) => ({ Id: id }),
  },
  {
    type: SECURITY_GROUP,
    page: 'securitygroup',
    prefix: 'sg',
    schema: z.strictObject({
      GroupDescription: z.string().max(255),
      GroupName: z.string().max(255).optional(),
      SecurityGroupEgress: z.array(egressSchema).optional(),
      SecurityGroupIngress: z.array(ingressSchema).optional(),
      Tags: cfnTags.optional(),
      VpcId: z.string(),
    }),
    replaceOn: ['GroupDescription', 'GroupName', 'VpcId'],
    references: { VpcId: VPC },
    attributes: ({ id, properties }) => ({ GroupId: id, Id: id, VpcId: String(properties.VpcId) }),
  },
  {
    type: INGRESS,
    page: 'securitygroupingress',
    prefix: 'sgr',
    schema: ingressSchema.extend({ GroupId: z.string() }),
    replaceOn: ['CidrIp', 'CidrIpv6', 'FromPort', 'GroupId', 'IpProtocol', 'SourceSecurityGroupId', 'ToPort'],
    references: { GroupId: SECURITY_GROUP, SourceSecurityGroupId: SECURITY_GROUP },
    attributes: ({ id }) => ({ Id: id }),
  },
  {
    type: EGRESS,
    page: 'securitygroupegress',
    prefix: 'sgr',
    schema: egressSchema.extend({ GroupId: z.string() }),
    replaceOn: ['CidrIp', 'CidrIpv6', 'DestinationSecurityGroupId', 'FromPort', 'GroupId', 'IpProtocol', 'ToPort'],
    references: { GroupId: SECURITY_GROUP, DestinationSecurityGroupId: SECURITY_GROUP },
    attributes: ({ id }) => ({ Id: id }),
  },
  {
    type: ENDPOINT,
    page: 'vpcendpoint',
    prefix: 'vpce',
    schema: z.strictObject({
      PrivateDnsEnabled: cfnBoolean.optional(),
      RouteTableIds: z.array(z.string()).optional(),
      SecurityGroupIds: z.array(z.string()).optional(),
      ServiceName: z.string(),
      SubnetIds: z.array(z.string()).optional(),
      Tags: cfnTags.optional(),
      VpcEndpointType: z.enum(['Gateway', 'Interface']).optional(),
      VpcId: z.string(),
    }),
    replaceOn: ['ServiceName', 'VpcEndpointType', 'VpcId'],
    references: { RouteTableIds: ROUTE_TABLE, SecurityGroupIds: SECURITY_GROUP, SubnetIds: SUBNET, VpcId: VPC },
    attributes: ({ id }) => ({ Id: id }),
    check: (properties, inventory) => {
      const vpc = inventory.get(String(properties.VpcId))?.properties;
      const interfaces = properties.VpcEndpointType === 'Interface';
      const needsNames = interfaces && properties.PrivateDnsEnabled === true;
      if (needsNames && (vpc?.EnableDnsSupport === false || vpc?.EnableDnsHostnames !== true)) {
        throw new ResourceFailure(
          'InvalidParameter: Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true',
        );
      }
      const gateways = ['s3', 'dynamodb'].some((name) => String(properties.ServiceName).endsWith(`.${name}`));
      if (!interfaces && !gateways) {
        throw new ResourceFailure(
          `InvalidParameter: Service ${properties.ServiceName} is not available as a gateway endpoint`,
        );
      }
    },
  },
];
