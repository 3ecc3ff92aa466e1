import { Token, Validations } from 'aws-cdk-lib';
import {
  GatewayVpcEndpointAwsService,
  InterfaceVpcEndpoint,
  type InterfaceVpcEndpointAwsService,
  type ISecurityGroup,
  type IVpc,
  Port,
  SecurityGroup,
  type SelectedSubnets,
  type SubnetSelection,
  SubnetType,
  Vpc,
} from 'aws-cdk-lib/aws-ec2';
import { Construct, type IDependable } from 'constructs';
import { laneError } from '../../common';

/** Options of `FargateNetwork.vpc`. */
export interface FargateVpcOptions {
  /** Subnets of the workers. @default - private subnets, or isolated ones if there are none */
  readonly subnets?: SubnetSelection;
  /** Whether workers get public addresses, which public subnets require. @default false */
  readonly assignPublicIp?: boolean;
}

/** Options of `FargateNetwork.isolated`. */
export interface IsolatedNetworkOptions {
  /** Endpoints of further services that the agent calls, for example `InterfaceVpcEndpointAwsService.LAMBDA`. @default - none */
  readonly endpoints?: InterfaceVpcEndpointAwsService[];
}

/** Requirements of the worker for its network. @internal */
export interface NetworkNeeds {
  /** Services that the worker calls, in addition to S3 and DynamoDB. */
  readonly services: readonly InterfaceVpcEndpointAwsService[];
}

/** A network in a stack. @internal */
export interface NetworkConfig {
  readonly vpc: IVpc;
  readonly subnets: SelectedSubnets;
  readonly assignPublicIp: boolean;
  /** The services of the lanes depend on these. */
  readonly ready: readonly IDependable[];
  /** Security groups of the endpoints that the worker calls: they must allow inbound traffic from it. */
  readonly callees: readonly ISecurityGroup[];
}

/** Availability zones of a VPC that the library creates: when one fails, every lane still has workers. */
const ZONES = 2;

/**
 * Network of the workers, from which they reach the queues, the tables, and the model's provider. None has a NAT gateway or
 * inbound rules: workers only make outbound connections.
 */
export abstract class FargateNetwork {
  /** An existing VPC. Its subnets must reach the services that the agent calls. */
  static vpc(vpc: IVpc, options: FargateVpcOptions = {}): FargateNetwork {
    return new GivenNetwork(vpc, options);
  }

  /**
   * A new VPC with public subnets in two zones: each worker has a public address and no open port. It reaches every provider.
   * It costs the public addresses of running workers, and nothing without workers.
   */
  static publicSubnets(): FargateNetwork {
    return new PublicNetwork();
  }

  /**
   * A new VPC without internet access in two zones: gateway endpoints for S3 and DynamoDB, and an interface endpoint for each
   * other service that the worker calls. Interface endpoints are billed by the hour, also without workers. Only models on
   * Bedrock can be reached.
   */
  static isolated(options: IsolatedNetworkOptions = {}): FargateNetwork {
    return new IsolatedNetwork(options);
  }

  /** Description, to compare environments. */
  abstract readonly description: string;

  /** False if the network reaches only AWS. */
  abstract readonly reachesInternet: boolean;

  /** @internal */
  abstract _bind(scope: Construct, needs: NetworkNeeds): NetworkConfig;
}

class GivenNetwork extends FargateNetwork {
  readonly description = 'given VPC';
  /** Assumed: the routes of an existing VPC are not known at synth. */
  readonly reachesInternet = true;

  constructor(
    private readonly vpc: IVpc,
    private readonly options: FargateVpcOptions,
  ) {
    super();
  }

  /** @internal */
  _bind(scope: Construct): NetworkConfig {
    const { vpc } = this;
    const { assignPublicIp = false, subnets: selection } = this.options;
    const subnets = vpc.selectSubnets(selection);
    if (subnets.hasPublic && !assignPublicIp) {
      throw laneError(
        scope,
        'MissingPublicAddress',
        'the subnets of the worker are public, but assignPublicIp is not set: without a public address, a container in a public subnet cannot even pull its image; set assignPublicIp in FargateNetwork.vpc, or choose private subnets',
      );
    }
    return { vpc, subnets, assignPublicIp, ready: [subnets.internetConnectivityEstablished], callees: [] };
  }
}

class PublicNetwork extends FargateNetwork {
  readonly description = 'public subnets';
  readonly reachesInternet = true;

  /** @internal */
  _bind(scope: Construct): NetworkConfig {
    const vpc = ownVpc(scope, SubnetType.PUBLIC);
    const subnets = vpc.selectSubnets({ subnetType: SubnetType.PUBLIC });
    return { vpc, subnets, assignPublicIp: true, ready: [subnets.internetConnectivityEstablished], callees: [] };
  }
}

class IsolatedNetwork extends FargateNetwork {
  readonly description = 'isolated subnets';
  readonly reachesInternet = false;

  constructor(private readonly options: IsolatedNetworkOptions) {
    super();
  }

  /** @internal */
  _bind(scope: Construct, needs: NetworkNeeds): NetworkConfig {
    const vpc = ownVpc(scope, SubnetType.PRIVATE_ISOLATED);
    const subnets = { subnetType: SubnetType.PRIVATE_ISOLATED };
    const endpoints = new Construct(scope, 'Endpoints');
    const group = new SecurityGroup(endpoints, 'SecurityGroup', {
      vpc,
      description: 'Endpoints of AWS services for the workers of an agent',
      allowAllOutbound: false,
    });
    const gateways = [
      vpc.addGatewayEndpoint('S3', { service: GatewayVpcEndpointAwsService.S3 }),
      vpc.addGatewayEndpoint('DynamoDb', { service: GatewayVpcEndpointAwsService.DYNAMODB }),
    ];
    const services = new Map(
      [...needs.services, ...(this.options.endpoints ?? [])].map((service) => [service.shortName, service]),
    );
    const interfaces = [...services].map(
      ([name, service]) =>
        new InterfaceVpcEndpoint(endpoints, name, {
          vpc,
          service,
          subnets,
          // The CDK would allow the whole VPC by default.
          open: false,
          securityGroups: [group],
        }),
    );
    return {
      vpc,
      subnets: vpc.selectSubnets(subnets),
      assignPublicIp: false,
      ready: [...gateways, ...interfaces],
      callees: [group],
    };
  }
}

/** Port of the AWS endpoints. */
export const HTTPS = Port.tcp(443);

function ownVpc(scope: Construct, subnetType: SubnetType): IVpc {
  const vpc = new Vpc(scope, 'Vpc', {
    maxAzs: ZONES,
    natGateways: 0,
    subnetConfiguration: [
      // The service assigns addresses to its containers; other resources in the subnets get none.
      {
        name: 'Worker',
        subnetType,
        ...(subnetType === SubnetType.PUBLIC ? { mapPublicIpOnLaunch: false } : {}),
      },
    ],
    // It would need a custom resource with its own function, to empty a group without members.
    restrictDefaultSecurityGroup: false,
  });
  Validations.of(vpc).acknowledge({
    id: 'AwsSolutions-VPC7',
    reason:
      "Nothing in this VPC listens: the workers' security group has no inbound rules. Their calls are in logs and traces with status and duration. Flow logs are billed by volume; to have them, pass an existing VPC, or add them to this one",
  });
  return vpc;
}

/** Distinct availability zones; a token counts as one zone. */
export function zonesOf({ availabilityZones }: SelectedSubnets): string[] {
  return [...new Set(availabilityZones.map((zone) => (Token.isUnresolved(zone) ? JSON.stringify(zone) : zone)))];
}
