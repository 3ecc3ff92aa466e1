import type { Duration, Size } from 'aws-cdk-lib';
import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import type * as logs from 'aws-cdk-lib/aws-logs';

/** Shares of a lane's concurrency by priority: numbers above 0 that sum to 1. */
export interface PriorityShares {
  /** Share of urgent tasks. */
  readonly high: number;
  /** Share of tasks that are neither urgent nor bulk. */
  readonly normal: number;
  /** Share of bulk work. */
  readonly low: number;
}

/** A worker on Lambda. Give either `entry` or `code`. */
export interface LambdaWorkerOptions {
  /**
   * Module whose default export is the agent (`export default defineAgent({ … })`), relative to the directory that the app
   * runs in. Bundled at synth with its dependencies by esbuild, which the project must have as a development dependency. The
   * library adds its worker, which contains the AWS SDK and the clients of the release's model providers.
   *
   * @default - `code` is given instead
   */
  readonly entry?: string;

  /**
   * Code that was bundled elsewhere, with a handler made by `createHandler` of `cdk-agent-lanes/worker`. Only an asset
   * (`Code.fromAsset`) has a digest, so only an asset is accepted.
   *
   * @default - `entry` is given instead
   */
  readonly code?: lambda.Code;

  /** Handler of `code`. @default index.handler */
  readonly handler?: string;

  /**
   * Memory of the function: 128 to 10,240 MiB
   * (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
   *
   * @default Size.mebibytes(1024)
   */
  readonly memorySize?: Size;

  /**
   * Longest time that one invocation works on a task, at most 15 minutes. A task that needs longer, within the limits of its
   * release, is requeued with its finished steps; each single step must be shorter.
   *
   * @default Duration.minutes(5)
   */
  readonly timeout?: Duration;

  /**
   * Tasks that run at once in each lane, 6 to 1,000; `priorityShares` divides them between the lane's queues. Not part of
   * the release.
   *
   * @default 100
   */
  readonly maxConcurrency?: number;

  /**
   * Shares of `maxConcurrency` that are reserved for the queue of each priority, at least 2 tasks each. Urgent tasks do not
   * wait for bulk work, and bulk work always makes progress; the unused share of one queue is not available to the others.
   * Not part of the release.
   *
   * @default - 50 % for high, 35 % for normal, 15 % for low
   */
  readonly priorityShares?: PriorityShares;

  /**
   * Further environment variables; names that begin with `AGENT_LANES_` are reserved. A literal value is part of the release.
   * Of a value that is known only at deployment, the name is part of the release. Do not put secrets here: pass them to the
   * service.
   *
   * @default - no variables
   */
  readonly environment?: { [name: string]: string };

  /** Runtime of the function: a Node.js runtime. @default Runtime.NODEJS_24_X */
  readonly runtime?: lambda.Runtime;

  /** Processor architecture. @default Architecture.X86_64 */
  readonly architecture?: lambda.Architecture;

  /** VPC of the function. @default - no VPC */
  readonly vpc?: ec2.IVpc;

  /** Subnets of the function. @default - private subnets of the VPC */
  readonly vpcSubnets?: ec2.SubnetSelection;

  /** Security groups of the function. @default - one is created, when in a VPC */
  readonly securityGroups?: ec2.ISecurityGroup[];

  /** How long logs are kept. @default RetentionDays.ONE_MONTH */
  readonly logRetention?: logs.RetentionDays;
}
