import type { Duration, Size } from 'aws-cdk-lib';
import type { ISecurityGroup } from 'aws-cdk-lib/aws-ec2';
import type { CpuArchitecture, ICluster } from 'aws-cdk-lib/aws-ecs';
import type { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { PriorityShares } from '../lambda-worker-options';
import type { AgentImage } from './agent-image';
import type { FargateCapacity } from './capacity';
import type { FargateNetwork } from './network';

/** How many workers a lane has. No part of the release: nothing of it changes with one. */
export interface FargateScaling {
  /**
   * Workers that the stable lane keeps when it is idle. In an environment of production at least 2, for a lane of one worker
   * stops with it. The candidate lane always goes down to none.
   *
   * @default 2 in environments of production and staging, else 0
   */
  readonly min?: number;

  /**
   * Fewest workers of a lane that has work: with how many it starts from none, and the fewest that it keeps while anything
   * waits or runs.
   *
   * @default 2, 1 in an environment of development
   */
  readonly floor?: number;

  /**
   * Most workers of each lane, at most 1000. Lowering it stops no running worker: a lane that has more goes down as its load
   * does. During a deployment old workers that still run tasks come on top.
   *
   * @default 10
   */
  readonly max?: number;

  /**
   * Messages, waiting or in work, that one worker is there for. A lane with more than so many for each of its running
   * workers gets as many workers as it needs; one with less than 60 % of it for a while gives some up.
   *
   * @default as many as one worker runs at once (`concurrency`)
   */
  readonly backlogPerWorker?: number;

  /** How long the load must be low before workers are given up: whole minutes, 1 to 60. @default 5 minutes */
  readonly scaleInAfter?: Duration;
}

/**
 * A worker in containers on Fargate. Give either `image`, for an agent in a container of its own, in any language, or `entry`,
 * for a module that runs in the worker's own process.
 */
export interface FargateWorkerOptions {
  /**
   * Image of the agent: answers the HTTP protocol of docs/agent-protocol.openapi.json on localhost. The library's worker
   * runs in a container beside it: polls, holds leases, keeps the journal, limits, measures, drains.
   *
   * @default `entry` is given instead
   */
  readonly image?: AgentImage;

  /** At which the agent's container answers; told to it as `PORT`. For `image`. @default 8080 */
  readonly port?: number;

  /** In place of the command of the image. For `image`. @default the image's own */
  readonly command?: string[];

  /**
   * Module whose default export is the agent (`export default defineAgent({ … })`), relative to the directory that the
   * app is run in. Bundled at synth, as for Lambda; `cdk deploy` builds an image of the bundle, the library's worker and a
   * Dockerfile.
   *
   * @default `image` is given instead
   */
  readonly entry?: string;

  /**
   * CPU units of a worker, 1024 of which are a vCPU: 256, 512, 1024, 2048, 4096, 8192 or 16384. All containers of the
   * worker share them.
   *
   * @default 512
   */
  readonly cpu?: number;

  /** Of a worker; must be one that Fargate has with `cpu`. @default 1024 MiB */
  readonly memorySize?: Size;

  /** @default x86_64 */
  readonly architecture?: CpuArchitecture;

  /**
   * Tasks that one worker runs at once, 1 to 100. They share CPU, memory and process: a task that keeps the processor busy
   * holds up its neighbors, and one that ends the process ends them.
   *
   * @default 10
   */
  readonly concurrency?: number;

  /**
   * How a worker divides its polls between the queues of its lane, when all of them have messages.
   *
   * @default half for high, 35 % for normal, 15 % for low
   */
  readonly priorityShares?: PriorityShares;

  /**
   * Longest that a worker works on a task before it hands it on, with the steps that are done, to whoever is next: at most
   * 11 h 59 min, for a message can be held for 12 hours. A single step must fit in here. It is also the longest that a
   * deployment leaves an old worker running.
   *
   * @default 1 hour: four times what Lambda allows, and old workers are gone an hour after a deployment
   */
  readonly timeout?: Duration;

  /**
   * From the signal to stop until a container is killed: 2 to 120 seconds. What a worker has not finished by then it has
   * handed back.
   *
   * @default 2 minutes: as much as Fargate gives
   */
  readonly stopTimeout?: Duration;

  /**
   * Longest until a lane without workers works on a task: to notice it, to find a place, to fetch the image, to start. The
   * preflight waits so much longer.
   *
   * @default 5 minutes
   */
  readonly startTimeout?: Duration;

  /** How many workers there are. @default see {@link FargateScaling} */
  readonly scaling?: FargateScaling;

  /** @default on demand */
  readonly capacity?: FargateCapacity;

  /** @default the VPC of `cluster`; without one, public subnets of a VPC of its own */
  readonly network?: FargateNetwork;

  /**
   * Cluster for the services. Its capacity providers must include FARGATE, and FARGATE_SPOT for Spot.
   *
   * @default a cluster of its own
   */
  readonly cluster?: ICluster;

  /** Of all workers. @default one of its own, that lets nobody in */
  readonly securityGroups?: ISecurityGroup[];

  /**
   * Environment variables of the agent: of its container, or of the worker's process that it runs in; `AGENT_LANES_…` is the
   * library's. A concrete value is part of the release. Of a value that is known only at deployment the name is part
   * of the release. No secrets here: hand them to the service.
   *
   * @default none
   */
  readonly environment?: { readonly [name: string]: string };

  /** @default one month */
  readonly logRetention?: RetentionDays;

  /**
   * Base of the worker's image, with its digest: `registry/name@sha256:…`. It must bring Node.js 22 or later.
   *
   * @default Node.js 24 on public.ecr.aws; what its tag meant when the image was first published stays so
   */
  readonly baseImage?: string;

  /**
   * The worker's image, built elsewhere from the folder `assets/worker` of this package. For `image`.
   *
   * @default built by `cdk deploy`
   */
  readonly workerImage?: AgentImage;
}
