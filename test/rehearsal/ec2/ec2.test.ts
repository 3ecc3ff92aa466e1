import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, RemovalPolicy, Stack } from 'aws-cdk-lib';
import {
  FlowLogDestination,
  GatewayVpcEndpointAwsService,
  InterfaceVpcEndpointAwsService,
  Port,
  SecurityGroup,
  SubnetType,
  Vpc,
} from 'aws-cdk-lib/aws-ec2';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { RehearsalCloud } from '../../../rehearsal/cloud';
import type { ResourceOutcome } from '../../../rehearsal/core/resource';
import { createEc2 } from '../../../rehearsal/services/ec2';
import { createIam } from '../../../rehearsal/services/iam';
import { ManualClock } from '../../support/manual-clock';

const folder = mkdtempSync(join(tmpdir(), 'rehearsal-ec2-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('takes a VPC as the CDK makes it: public and isolated subnets, endpoints, groups, flow logs', async () => {
  const app = new App({ outdir: folder, context: { '@aws-cdk/aws-ec2:restrictDefaultSecurityGroup': false } });
  const stack = new Stack(app, 'Net');
  const vpc = new Vpc(stack, 'Vpc', {
    natGateways: 0,
    maxAzs: 2,
    subnetConfiguration: [
      { name: 'public', subnetType: SubnetType.PUBLIC },
      { name: 'isolated', subnetType: SubnetType.PRIVATE_ISOLATED },
    ],
  });
  vpc.addGatewayEndpoint('S3', { service: GatewayVpcEndpointAwsService.S3 });
  const endpoint = vpc.addInterfaceEndpoint('Sqs', { service: InterfaceVpcEndpointAwsService.SQS, open: false });
  const group = new SecurityGroup(stack, 'Workers', { vpc: vpc, allowAllOutbound: false });
  endpoint.connections.allowDefaultPortFrom(group);
  group.connections.allowFrom(endpoint, Port.tcp(8080));
  const logs = new LogGroup(stack, 'Logs', { removalPolicy: RemovalPolicy.DESTROY });
  vpc.addFlowLog('Flow', { destination: FlowLogDestination.toCloudWatchLogs(logs) });
  app.synth();

  const cloud = await RehearsalCloud.start({ speed: 60, seed: 1 });
  try {
    expect(await cloud.deploy(folder)).toMatchObject({ status: 'CREATE_COMPLETE' });
    const subnets = cloud.resources().filter(({ type }) => type === 'AWS::EC2::Subnet');
    expect(subnets.map(({ attributes }) => attributes.AvailabilityZone).sort()).toEqual([
      'us-east-1a',
      'us-east-1a',
      'us-east-1b',
      'us-east-1b',
    ]);
    expect(await cloud.destroy()).toMatchObject({ status: 'DELETE_COMPLETE', failures: [] });
  } finally {
    await cloud.stop();
  }
});

/** EC2 alone, with a handler for each type. */
function world() {
  const { iam } = createIam();
  const ec2 = createEc2({ iam });
  const stack = {
    stackName: 'Test',
    stackId: 'stack',
    region: 'us-east-1',
    account: '123456789012',
    partition: 'aws',
    assemblyDirectory: '',
    clock: new ManualClock(),
  };
  const handler = (type: string) => {
    const found = ec2.handlers.find((one) => one.type === `AWS::EC2::${type}`);
    if (found === undefined) {
      throw new Error(`no handler of ${type}`);
    }
    return found;
  };
  const create = (type: string, properties: Record<string, unknown>): Promise<ResourceOutcome> =>
    handler(type).create({ stack, logicalId: type, path: type, properties, report: () => undefined });
  return { iam, ec2, stack, handler, create };
}

describe('what can be reached from a subnet', () => {
  const { ec2, create } = world();
  const id = async (type: string, properties: Record<string, unknown>) => (await create(type, properties)).physicalId;

  /** A VPC with a subnet, its route table, and a group. */
  async function network(group: Record<string, unknown> = {}) {
    const vpc = await id('VPC', { CidrBlock: '10.0.0.0/16', EnableDnsHostnames: true });
    const subnet = await id('Subnet', { CidrBlock: '10.0.0.0/24', VpcId: vpc });
    const table = await id('RouteTable', { VpcId: vpc });
    await create('SubnetRouteTableAssociation', { RouteTableId: table, SubnetId: subnet });
    const workers = await id('SecurityGroup', { GroupDescription: 'workers', VpcId: vpc, ...group });
    const from = (publicIp: boolean) => ({ subnet, publicIp, securityGroups: [workers] });
    const toInternet = async () => {
      const gateway = await id('InternetGateway', {});
      await create('VPCGatewayAttachment', { InternetGatewayId: gateway, VpcId: vpc });
      await create('Route', { DestinationCidrBlock: '0.0.0.0/0', GatewayId: gateway, RouteTableId: table });
    };
    return { vpc, subnet, table, workers, from, toInternet };
  }
  const service = (name: string) => `com.amazonaws.us-east-1.${name}`;

  test('everything, with a way to the internet and a public address', async () => {
    const { from, toInternet } = await network();
    expect(ec2.unreachable(from(true), 'sqs')).toMatch(/has no way to the internet, and there is no endpoint of sqs/);
    await toInternet();
    expect(ec2.unreachable(from(true), 'sqs')).toBeUndefined();
    expect(ec2.unreachable(from(true), 'internet')).toBeUndefined();
    expect(ec2.unreachable(from(false), 'sqs')).toMatch(/is public, and there is no public address/);
  });

  test('nothing, where the security group lets nothing out', async () => {
    const { from, toInternet, workers } = await network({ SecurityGroupEgress: [] });
    await toInternet();
    expect(ec2.unreachable(from(true), 'sqs')).toMatch(/lets HTTPS out/);
    await create('SecurityGroupEgress', {
      CidrIp: '0.0.0.0/0',
      FromPort: 443,
      GroupId: workers,
      IpProtocol: 'tcp',
      ToPort: 443,
    });
    expect(ec2.unreachable(from(true), 'sqs')).toBeUndefined();
  });

  test('through an interface endpoint, what its group lets in', async () => {
    const { vpc, subnet, workers, from } = await network();
    const group = await id('SecurityGroup', { GroupDescription: 'endpoints', VpcId: vpc });
    const endpoint = { ServiceName: service('sqs'), SubnetIds: [subnet], VpcEndpointType: 'Interface', VpcId: vpc };
    await create('VPCEndpoint', { ...endpoint, PrivateDnsEnabled: true, SecurityGroupIds: [group] });
    expect(ec2.unreachable(from(false), 'sqs')).toMatch(/security groups keep HTTPS from the endpoint of sqs/);
    const rule = { GroupId: group, IpProtocol: 'tcp', SourceSecurityGroupId: workers };
    await create('SecurityGroupIngress', { ...rule, FromPort: 80, ToPort: 80 });
    expect(ec2.unreachable(from(false), 'sqs')).toBeDefined();
    await create('SecurityGroupIngress', { ...rule, FromPort: 443, ToPort: 443 });
    expect(ec2.unreachable(from(false), 'sqs')).toBeUndefined();
    expect(ec2.unreachable(from(false), 'xray')).toMatch(/no endpoint of xray/);
    expect(ec2.unreachable(from(false), 'internet')).toBeDefined();
  });

  test('through a gateway endpoint in the route table of the subnet', async () => {
    const { vpc, table, from } = await network();
    const other = await id('RouteTable', { VpcId: vpc });
    await create('VPCEndpoint', { RouteTableIds: [other], ServiceName: service('s3'), VpcId: vpc });
    expect(ec2.unreachable(from(false), 's3')).toBeDefined();
    await create('VPCEndpoint', { RouteTableIds: [table], ServiceName: service('s3'), VpcId: vpc });
    expect(ec2.unreachable(from(false), 's3')).toBeUndefined();
  });

  test('everything, as far as anybody knows, from a subnet that is not of this cloud', () => {
    expect(ec2.unreachable({ subnet: 'subnet-1', publicIp: false, securityGroups: [] }, 'sqs')).toBeUndefined();
  });
});

describe('what EC2 would not take', () => {
  const { iam, ec2, stack, handler, create } = world();
  const vpc = async (more: Record<string, unknown> = {}) =>
    (await create('VPC', { CidrBlock: '10.0.0.0/16', ...more })).physicalId;

  test('a reference to a missing resource, or to one of another type', async () => {
    const VpcId = await vpc();
    await expect(create('Subnet', { CidrBlock: '10.0.0.0/24', VpcId: 'vpc-1' })).rejects.toThrow(
      "InvalidVPCID.NotFound: AWS::EC2::Subnet.VpcId: the VPC 'vpc-1' does not exist",
    );
    await expect(create('SubnetRouteTableAssociation', { RouteTableId: VpcId, SubnetId: VpcId })).rejects.toThrow(
      'InvalidRouteTableID.NotFound',
    );
  });

  test('the deletion of what is still needed', async () => {
    const VpcId = await vpc();
    const { physicalId: subnet } = await create('Subnet', { CidrBlock: '10.0.0.0/24', VpcId });
    const remove = (type: string, physicalId: string) =>
      handler(type).delete({ stack, logicalId: type, physicalId, properties: {} });
    await expect(remove('VPC', VpcId)).rejects.toThrow(`DependencyViolation: ${VpcId} has dependencies`);
    await remove('Subnet', subnet);
    await remove('VPC', VpcId);
    expect(ec2.zoneOf(subnet)).toBeUndefined();
  });

  test('a route to a gateway that is not attached to the VPC', async () => {
    const VpcId = await vpc();
    const { physicalId: RouteTableId } = await create('RouteTable', { VpcId });
    const { physicalId: GatewayId } = await create('InternetGateway', {});
    const route = { DestinationCidrBlock: '0.0.0.0/0', GatewayId, RouteTableId };
    await expect(create('Route', route)).rejects.toThrow('belong to different networks');
    await create('VPCGatewayAttachment', { InternetGatewayId: GatewayId, VpcId });
    await create('Route', route);
  });

  test('an interface endpoint with private names in a VPC without host names', async () => {
    const endpoint = {
      PrivateDnsEnabled: true,
      ServiceName: 'com.amazonaws.us-east-1.sqs',
      VpcEndpointType: 'Interface',
    };
    await expect(create('VPCEndpoint', { ...endpoint, VpcId: await vpc() })).rejects.toThrow('Enabling private DNS');
    await create('VPCEndpoint', { ...endpoint, VpcId: await vpc({ EnableDnsHostnames: true }) });
  });

  test('a gateway endpoint of a service that has none', async () => {
    await expect(
      create('VPCEndpoint', { ServiceName: 'com.amazonaws.us-east-1.sqs', VpcId: await vpc() }),
    ).rejects.toThrow('not available as a gateway endpoint');
  });

  test('flow logs whose role does not let them write', async () => {
    const role = 'arn:aws:iam::123456789012:role/flow';
    iam.putRole({ arn: role, name: 'flow', trust: { Statement: [] }, inline: {}, managedArns: [] });
    await expect(
      create('FlowLog', {
        DeliverLogsPermissionArn: role,
        LogGroupName: 'flow',
        ResourceId: await vpc(),
        ResourceType: 'VPC',
      }),
    ).rejects.toThrow('Access error');
  });

  test.each([
    ['an endpoint policy', 'VPCEndpoint', { PolicyDocument: {} }, 'PolicyDocument'],
    ['a way through a NAT gateway', 'Route', { NatGatewayId: 'nat-1' }, 'NatGatewayId'],
  ])('refuses %s by name', async (_what, type, properties, name) => {
    expect(handler(type).properties).not.toContain(name);
    await expect(create(type, properties)).rejects.toThrow(name);
  });
});
