import type { Duration, Size } from 'aws-cdk-lib';
import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import type * as logs from 'aws-cdk-lib/aws-logs';

/** How the queues of a lane share its concurrency: numbers above 0 that sum to 1. */
export interface PriorityShares {
  readonly high: number;
  readonly normal: number;
  readonly low: number;
}

/** A worker on Lambda. Give either `entry` or `code`. */
export interface LambdaWorkerOptions {
  /**
   * Module whose default export is the agent (`export default defineAgent({ … })`), relative to the directory that the
   * app is run in. Bundled at synth with all it imports; needs esbuild in the project (`npm install --save-dev esbuild`). The
   * library's worker, which brings the AWS SDK and the clients of the release's model providers, is put beside the bundle.
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
  readonly memorySize?: Size;

  /**
   * Longest that one invocation may work on a task, at most 15 minutes. A task that takes longer, within the limits of its
   * release, is handed to the next invocation with the steps that it has finished; a single step must fit in here.
   *
   * @default 5 minutes
   */
  readonly timeout?: Duration;

  /**
   * Tasks that run at once in each lane, 6 to 1000; the lane's queues share it as `priorityShares` says. No part of the
   * release.
   *
   * @default 100
   */
  readonly maxConcurrency?: number;

  /**
   * Share of `maxConcurrency` that the queue of each priority has for itself, at least 2 tasks. An urgent task need not
   * wait until bulk work leaves a place, and bulk work is never starved; what one queue leaves idle the others do not
   * get. No part of the release.
   *
   * @default half for high, 35 % for normal, 15 % for low
   */
  readonly priorityShares?: PriorityShares;

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
