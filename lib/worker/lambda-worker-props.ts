import type { Duration, Size } from 'aws-cdk-lib';
import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import type * as logs from 'aws-cdk-lib/aws-logs';

/** A worker on Lambda. Give either `entry` or `code`. */
export interface LambdaWorkerProps {
  /**
   * Module whose default export is the agent (`export default defineAgent({ … })`), relative to the directory that the
   * app is run in. Bundled at synth with the library's worker and all it imports, the AWS SDK included.
   *
   * @default `code` is given instead
   */
  readonly entry?: string;

  /**
   * Code that was bundled elsewhere, its handler made by `createHandler` of `cdk-agent-lanes/worker`. Only an asset
   * (`Code.fromAsset`) has a digest, so only an asset is accepted.
   *
   * @default `entry` is given instead
   */
  readonly code?: lambda.Code;

  /** For `code`. @default index.handler */
  readonly handler?: string;

  /** @default 1024 MiB */
  readonly memory?: Size;

  /** Longest that a task may run, to the point where it is killed; at most 15 minutes. @default 5 minutes */
  readonly timeout?: Duration;

  /**
   * Tasks that run at once, for each queue of a lane, 2 to 1000. The queues do not share: an urgent task need not wait
   * until bulk work leaves a place.
   *
   * @default 50
   */
  readonly maxConcurrency?: number;

  /**
   * Further environment variables; `AGENT_LANES_…` is the library's. A concrete value is part of the release. Of a
   * value that is known only at deployment the name is part of the release. No secrets here: hand them to the service.
   *
   * @default none
   */
  readonly environment?: { [name: string]: string };

  /** @default Node.js 24 */
  readonly runtime?: lambda.Runtime;

  /** @default x86_64 */
  readonly architecture?: lambda.Architecture;

  /** @default no VPC */
  readonly vpc?: ec2.IVpc;

  /** @default private subnets */
  readonly vpcSubnets?: ec2.SubnetSelection;

  /** @default one of its own, when in a VPC */
  readonly securityGroups?: ec2.ISecurityGroup[];

  /** @default one month */
  readonly logRetention?: logs.RetentionDays;
}
