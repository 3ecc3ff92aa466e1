import { Duration, RemovalPolicy, Size } from 'aws-cdk-lib';
import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { allowNetworkInterfaces, executionRole } from './execution-role';
import { functionBundle } from './function-archive';
import { stageFile } from './stage-file';

/** Settings of a {@link BundledFunction}. */
export interface BundledFunctionProps {
  /** Name in the archive of functions: router, api, webhook and so on. */
  readonly bundle: string;
  /** One line for the console. */
  readonly description: string;
  /** Environment variables. @default - none */
  readonly environment?: { [name: string]: string };
  /** Memory of the function. @default Size.mebibytes(512) */
  readonly memorySize?: Size;
  /** Timeout of the function. @default Duration.seconds(30) */
  readonly timeout?: Duration;
  /** How long logs are kept. @default RetentionDays.ONE_MONTH */
  readonly logRetention?: logs.RetentionDays;
  /** What happens to the log group when the stack is deleted. @default RemovalPolicy.DESTROY */
  readonly removalPolicy?: RemovalPolicy;
  /** VPC of the function. @default - no VPC */
  readonly vpc?: ec2.IVpc;
  /** Subnets of the function. @default - private subnets of the VPC */
  readonly vpcSubnets?: ec2.SubnetSelection;
  /** Security groups of the function. @default - one is created, when in a VPC */
  readonly securityGroups?: ec2.ISecurityGroup[];
}

/**
 * A function whose code was bundled when the library was built: synthesis needs neither Docker nor a bundler.
 * Published versions are kept on update and delete, but not when the update that made them is rolled back: a later
 * deployment of the same content would fail on a version that exists outside the stack.
 */
export class BundledFunction extends lambda.Function {
  constructor(scope: Construct, id: string, props: BundledFunctionProps) {
    const logGroup = new logs.LogGroup(scope, `${id}Logs`, {
      retention: props.logRetention ?? logs.RetentionDays.ONE_MONTH,
      removalPolicy: props.removalPolicy ?? RemovalPolicy.DESTROY,
    });
    const role = executionRole(scope, `${id}Role`, logGroup);
    if (props.vpc !== undefined) {
      allowNetworkInterfaces(role);
    }
    const { code, digest } = functionBundle(props.bundle);
    super(scope, id, {
      description: props.description,
      runtime: lambda.Runtime.NODEJS_24_X,
      code: lambda.Code.fromAsset(stageFile(scope, digest, 'index.js', code), { assetHash: digest }),
      handler: 'index.handler',
      memorySize: (props.memorySize ?? Size.mebibytes(512)).toMebibytes(),
      timeout: props.timeout ?? Duration.seconds(30),
      environment: props.environment ?? {},
      tracing: lambda.Tracing.ACTIVE,
      logGroup,
      role,
      vpc: props.vpc,
      vpcSubnets: props.vpcSubnets,
      securityGroups: props.securityGroups,
      currentVersionOptions: { removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE },
    });
  }
}
