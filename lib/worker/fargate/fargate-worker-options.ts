import type { Duration, Size } from 'aws-cdk-lib';
import type { ISecurityGroup } from 'aws-cdk-lib/aws-ec2';
import type { CpuArchitecture, ICluster } from 'aws-cdk-lib/aws-ecs';
import type { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { PriorityShares } from '../lambda-worker-options';
import type { AgentImage } from './agent-image';
import type { FargateCapacity } from './capacity';
import type { FargateNetwork } from './network';

/** Number of workers of each lane. Not part of the release: a change of it starts no rollout. */
export interface FargateScaling {
  /**
   * Workers that the stable lane keeps while it is idle, 0 to 1,000. An environment of production requires at least 2: a
   * lane with one worker has none when it stops. The candidate lane always scales to 0.
   *
   * @default - 2 in environments of production and staging, else 0
   */
  readonly min?: number;

  /**
   * Minimum number of workers of a lane that has work, 1 to 1,000: the lane starts with this many from 0, and keeps them
   * until its queues are empty and no task runs.
   *
   * @default - 2, or 1 in an environment of development
   */
  readonly floor?: number;

  /**
   * Maximum number of workers of each lane, 1 to 1,000. A lower value stops no running worker: a lane that has more scales
   * in with its load. During a deployment, old workers that still run tasks are not counted.
   *
   * @default 10
   */
  readonly max?: number;

  /**
   * Messages, waiting or in flight, per running worker, 1 to 10,000. A lane with more scales out to as many workers as its
   * load needs; a lane below 60 % of it for `scaleInAfter` scales in.
   *
   * @default - `concurrency`: as many as one worker runs at once
   */
  readonly backlogPerWorker?: number;

  /** How long the load must be low before the lane scales in: whole minutes, 1 to 60. @default Duration.minutes(5) */
  readonly scaleInAfter?: Duration;
}

/**
 * A worker in containers on Fargate. Give either `image`, for an agent in its own container, in any language, or `entry`,
 * for a module that runs in the worker's process.
 */
export interface FargateWorkerOptions {
  /**
   * Image of the agent: serves the HTTP protocol of docs/agent-protocol.openapi.json on localhost. The library's worker runs
   * in a container beside it: it polls the queues, holds leases, writes the journal, enforces limits, emits metrics and
   * drains.
   *
   * @default - `entry` is given instead
   */
  readonly image?: AgentImage;

  /**
   * Port of the agent's container, 1 to 65535 except 9400, which is the worker's. The container reads it from the
   * environment variable `PORT`. Only with `image`.
   *
   * @default 8080
   */
  readonly port?: number;

  /** Overrides the command of the image. Only with `image`. @default - the command of the image */
  readonly command?: string[];

  /**
   * Module whose default export is the agent (`export default defineAgent({ … })`), relative to the directory that the app
   * runs in. Bundled at synth, as for Lambda; `cdk deploy` builds an image from the bundle, the library's worker and a
   * Dockerfile.
   *
   * @default - `image` is given instead
   */
  readonly entry?: string;

  /**
   * CPU units of a worker, 1024 of which are a vCPU: 256, 512, 1024, 2048, 4096, 8192 or 16384. All containers of the
   * worker share them
   * (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html).
   *
   * @default 512
   */
  readonly cpu?: number;

  /** Memory of a worker. Fargate offers a range for each value of `cpu`. @default Size.mebibytes(1024) */
  readonly memorySize?: Size;

  /** Processor architecture. @default CpuArchitecture.X86_64 */
  readonly architecture?: CpuArchitecture;

  /**
   * Tasks that one worker runs at once, 1 to 100. They share CPU, memory and process: a task that uses all of the CPU slows
   * the others down, and a task that crashes the process ends them.
   *
   * @default 10
   */
  readonly concurrency?: number;

  /**
   * Shares of a worker's polls that ask each queue of the lane first, when all of them have messages.
   *
   * @default - 50 % for high, 35 % for normal, 15 % for low
   */
  readonly priorityShares?: PriorityShares;

  /**
   * Longest time that a worker works on a task before it requeues it with its finished steps: at most 11 h 59 min, because
   * SQS keeps a message invisible for 12 hours at most. Each single step must be shorter. It is also the longest time that
   * an old worker runs after a deployment.
   *
   * @default Duration.hours(1)
   */
  readonly timeout?: Duration;

  /**
   * Time from SIGTERM until a container is killed: 2 to 120 seconds, a limit of Fargate. The worker requeues tasks that it
   * cannot finish in this time.
   *
   * @default Duration.minutes(2)
   */
  readonly stopTimeout?: Duration;

  /**
   * Longest time until a lane without workers runs a task: scale out, place the container, pull the image, start. The
   * preflight waits that much longer. At most 15 minutes, the timeout of its function.
   *
   * @default Duration.minutes(5)
   */
  readonly startTimeout?: Duration;

  /** Number of workers. @default - see {@link FargateScaling} */
  readonly scaling?: FargateScaling;

  /** On-demand and Spot containers. @default FargateCapacity.onDemand() */
  readonly capacity?: FargateCapacity;

  /** Network of the workers. @default - the VPC of `cluster`; without a cluster, public subnets of a new VPC */
  readonly network?: FargateNetwork;

  /**
   * Cluster for the services. Its capacity providers must include FARGATE, and FARGATE_SPOT for Spot.
   *
   * @default - a cluster is created
   */
  readonly cluster?: ICluster;

  /** Security groups of all workers. @default - one is created, without inbound rules */
  readonly securityGroups?: ISecurityGroup[];

  /**
   * Environment variables of the agent: of its container, or of the worker's process. Names that begin with `AGENT_LANES_`
   * are reserved. A literal value is part of the release. Of a value that is known only at deployment, the name is part of
   * the release. Do not put secrets here: pass them to the service.
   *
   * @default - no variables
   */
  readonly environment?: { readonly [name: string]: string };

  /** How long logs are kept. @default RetentionDays.ONE_MONTH */
  readonly logRetention?: RetentionDays;

  /**
   * Base image of the worker's image, with its digest: `registry/name@sha256:…`. It must contain Node.js 22 or later.
   *
   * @default - Node.js 24 from public.ecr.aws, as its tag resolves when the image is published first
   */
  readonly baseImage?: string;

  /**
   * The worker's image, built elsewhere from the folder `assets/worker` of this package. Only with `image`.
   *
   * @default - `cdk deploy` builds it
   */
  readonly workerImage?: AgentImage;
}
