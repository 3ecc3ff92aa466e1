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

/** Where in a VPC of the platform's the workers run. */
export interface FargateVpcOptions {
  /** @default private subnets; isolated ones if there are none */
  readonly subnets?: SubnetSelection;
  /** Public addresses for the workers: what public subnets need. @default false */
  readonly assignPublicIp?: boolean;
}

/** Endpoints beyond those that the worker itself needs. */
export interface IsolatedNetworkOptions {
  /** What else the agent calls, for instance `InterfaceVpcEndpointAwsService.LAMBDA`. @default none */
  readonly endpoints?: InterfaceVpcEndpointAwsService[];
}

/** What a network is to give. @internal */
export interface NetworkNeeds {
  /** Services that the worker calls, besides S3 and DynamoDB. */
  readonly services: readonly InterfaceVpcEndpointAwsService[];
}

/** A network in a stack. @internal */
export interface NetworkConfig {
  readonly vpc: IVpc;
  readonly subnets: SelectedSubnets;
  readonly assignPublicIp: boolean;
  /** Come before the first container. */
  readonly ready: readonly IDependable[];
  /** To be let in by what the worker calls in the VPC. */
  readonly callees: readonly ISecurityGroup[];
}

/** Zones that a network of the library's own spans: losing one leaves every lane workers. */
const ZONES = 2;

/**
 * Where workers run and how they reach the queues, the tables, and the model's provider. None of them has a NAT gateway, or
 * lets anybody in: a worker calls and is never called.
 */
export abstract class FargateNetwork {
  /** A VPC of the platform's. Whether its subnets reach what the agent calls is the platform's to see to. */
  static vpc(vpc: IVpc, options: FargateVpcOptions = {}): FargateNetwork {
    return new GivenNetwork(vpc, options);
  }

  /**
   * A VPC of the agent's own with public subnets in two zones: each worker has a public address and no port that anybody
   * can reach. Reaches every provider; costs the addresses of running workers and nothing when there are none.
   */
  static publicSubnets(): FargateNetwork {
    return new PublicNetwork();
  }

  /**
   * A VPC of the agent's own without a way out, in two zones: gateway endpoints for S3 and DynamoDB, and an interface endpoint
   * for each other service that the worker calls. Those cost by the hour whether anything runs or not. A model is reached
   * only on Bedrock.
   */
  static isolated(options: IsolatedNetworkOptions = {}): FargateNetwork {
    return new IsolatedNetwork(options);
  }

  /** In words, to be compared between environments. */
  abstract readonly description: string;

  /** False if nothing outside AWS can be reached. */
  abstract readonly reachesInternet: boolean;

  /** @internal */
  abstract _bind(scope: Construct, needs: NetworkNeeds): NetworkConfig;
}

class GivenNetwork extends FargateNetwork {
  readonly description = 'given VPC';
  /** Not known; whoever gives a VPC knows. */
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
        'the subnets of the worker are public, and it gets no public address: expected assignPublicIp, for without one a container in a public subnet reaches nothing, not even its own image; set it in FargateNetwork.vpc, or choose private subnets',
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
          // Not to the whole VPC, which is what the CDK lets in by itself.
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

/** The port at which AWS answers. */
export const HTTPS = Port.tcp(443);

function ownVpc(scope: Construct, subnetType: SubnetType): IVpc {
  const vpc = new Vpc(scope, 'Vpc', {
    maxAzs: ZONES,
    natGateways: 0,
    subnetConfiguration: [
      // Addresses are the service's to give, to its containers and to nothing else that may be put here.
      {
        name: 'Worker',
        subnetType,
        ...(subnetType === SubnetType.PUBLIC ? { mapPublicIpOnLaunch: false } : {}),
      },
    ],
    // That would take a custom resource with a function of its own, to empty a group that nothing here is a member of.
    restrictDefaultSecurityGroup: false,
  });
  Validations.of(vpc).acknowledge({
    id: 'AwsSolutions-VPC7',
    reason:
      "Nothing in this VPC listens: the workers' security group lets nobody in. What they call is in their log and traces with status and duration. Flow logs are billed by volume; a platform that wants them brings its own VPC, or adds them to this one",
  });
  return vpc;
}

/** Zones that are known to differ. */
export function zonesOf({ availabilityZones }: SelectedSubnets): string[] {
  return [...new Set(availabilityZones.map((zone) => (Token.isUnresolved(zone) ? JSON.stringify(zone) : zone)))];
}
