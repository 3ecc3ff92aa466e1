import * as iam from 'aws-cdk-lib/aws-iam';
import type * as logs from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { acknowledgeWildcard } from './acknowledge';

/**
 * Permissions of a function in a VPC for its network interfaces. They do not support resource-level permissions
 * (https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html).
 */
export const NETWORK_INTERFACE_ACTIONS = [
  'ec2:CreateNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:DeleteNetworkInterface',
  'ec2:AssignPrivateIpAddresses',
  'ec2:UnassignPrivateIpAddresses',
];

/**
 * Role of one function that may write to its own log group only. The managed policy AWSLambdaBasicExecutionRole, the default
 * of the CDK, may write to every log group of the account.
 */
export function executionRole(scope: Construct, id: string, logGroup: logs.ILogGroup): iam.Role {
  const role = new iam.Role(scope, id, { assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') });
  logGroup.grantWrite(role);
  acknowledgeWildcard(
    role,
    '*',
    'Active tracing needs xray:PutTraceSegments and xray:PutTelemetryRecords, which do not support resource-level permissions (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html)',
  );
  return role;
}

/** Lets a function with this role run in a VPC. */
export function allowNetworkInterfaces(role: iam.Role): void {
  role.addToPolicy(new iam.PolicyStatement({ actions: NETWORK_INTERFACE_ACTIONS, resources: ['*'] }));
  acknowledgeWildcard(
    role,
    '*',
    'The EC2 actions for the network interfaces of a function in a VPC do not support resource-level permissions (https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html)',
  );
}
