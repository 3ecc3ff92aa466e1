import { Duration, Size } from 'aws-cdk-lib';
import { Platform } from 'aws-cdk-lib/aws-ecr-assets';
import { CpuArchitecture } from 'aws-cdk-lib/aws-ecs';
import type { IConstruct } from 'constructs';
import { checkedInteger, describeValue, laneError } from '../../common';
import {
  AGENT_PORT_VARIABLE,
  DEFAULT_AGENT_PORT,
  DEFAULT_PRIORITY_SHARES,
  DEFAULT_WORKER_PORT,
  PlatformLimits,
} from '../../contract';
import type { PriorityShares } from '../lambda-worker-options';
import { checkPriorityShares } from '../priority-shares';
import { checkUserEnvironment, describeUserEnvironment } from '../user-environment';
import type { WorkerAvailability } from '../worker-context';
import { FargateCapacity } from './capacity';
import type { FargateScaling, FargateWorkerOptions } from './fargate-worker-options';
import { FargateNetwork } from './network';
import { minRunningTasks, type ScalingPlan } from './scaling-plan';
import { checkTaskSize, type TaskSize } from './task-size';

/** A higher number is most likely a mistake: the tasks share one process. */
const MAX_CONCURRENCY = 100;

/** Below the 5,000 tasks that a service may have (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html). */
export const MAX_WORKERS = 1_000;

/** SQS keeps a message invisible for 12 hours from its receipt at most; the claim comes some seconds after the receipt. */
const TIMEOUT_MARGIN_SECONDS = 60;

/** A container that is killed sooner cannot requeue its tasks before. */
const MIN_STOP_SECONDS = 2;

const MAX_SCALE_IN_MINUTES = 60;

/** Options of a Fargate worker with their defaults applied. */
export interface FargateSettings {
  readonly size: TaskSize;
  readonly architecture: CpuArchitecture;
  /** Platform for images that are built; follows from the architecture. */
  readonly platform: Platform;
  readonly concurrency: number;
  readonly priorityShares: PriorityShares;
  readonly timeout: Duration;
  readonly stopTimeout: Duration;
  readonly startTimeout: Duration;
  readonly capacity: FargateCapacity;
  readonly network: FargateNetwork;
  readonly environment: { readonly [name: string]: string };
  /** Port of the agent's container. */
  readonly port: number;
}

/** @throws LaneError for a value that Fargate refuses, or that is a token */
export function checkFargateSettings(scope: IConstruct, props: FargateWorkerOptions): FargateSettings {
  checkSource(scope, props);
  const architecture = props.architecture ?? CpuArchitecture.X86_64;
  const environment = props.environment ?? {};
  const priorityShares = props.priorityShares ?? DEFAULT_PRIORITY_SHARES;
  checkPriorityShares(scope, priorityShares);
  checkUserEnvironment(scope, environment);
  return {
    size: checkTaskSize(scope, props.cpu ?? 512, props.memorySize ?? Size.mebibytes(1024)),
    architecture,
    platform: architecture === CpuArchitecture.ARM64 ? Platform.LINUX_ARM64 : Platform.LINUX_AMD64,
    concurrency: checkedInteger(scope, 'InvalidConcurrency', {
      name: 'concurrency',
      value: props.concurrency ?? 10,
      max: MAX_CONCURRENCY,
    }),
    priorityShares,
    timeout: seconds(
      scope,
      'InvalidTimeout',
      'timeout',
      props.timeout ?? Duration.hours(1),
      [1, PlatformLimits.SQS_VISIBILITY.value - TIMEOUT_MARGIN_SECONDS],
      `${PlatformLimits.SQS_VISIBILITY.source}); longer tasks are requeued between two of their steps`,
    ),
    stopTimeout: seconds(
      scope,
      'InvalidStopTimeout',
      'stopTimeout',
      props.stopTimeout ?? Duration.seconds(PlatformLimits.FARGATE_STOP_TIMEOUT.value),
      [MIN_STOP_SECONDS, PlatformLimits.FARGATE_STOP_TIMEOUT.value],
      `${PlatformLimits.FARGATE_STOP_TIMEOUT.source}); the worker requeues tasks that take longer`,
    ),
    startTimeout: seconds(
      scope,
      'InvalidStartTimeout',
      'startTimeout',
      props.startTimeout ?? Duration.minutes(5),
      [1, PlatformLimits.LAMBDA_TIMEOUT.value],
      `the preflight function waits for it: ${PlatformLimits.LAMBDA_TIMEOUT.source}); keep workers with scaling.min, or make the image smaller`,
    ),
    capacity: props.capacity ?? FargateCapacity.onDemand(),
    network:
      props.network ??
      (props.cluster === undefined ? FargateNetwork.publicSubnets() : FargateNetwork.vpc(props.cluster.vpc)),
    environment,
    port: checkedPort(scope, props),
  };
}

function checkSource(scope: IConstruct, props: FargateWorkerOptions): void {
  const oneOfThem =
    "must have exactly one of them; set image for an agent in its own container, entry for a module that runs in the worker's process";
  if (props.entry === undefined && props.image === undefined) {
    throw laneError(scope, 'MissingImage', `the worker has neither entry nor image, and ${oneOfThem}`);
  }
  if (props.entry !== undefined && props.image !== undefined) {
    throw laneError(scope, 'ConflictingImage', `the worker has both entry and image, and ${oneOfThem}`);
  }
  const ofImage = { port: props.port, command: props.command, workerImage: props.workerImage };
  const misplaced = Object.entries(ofImage).find(([, value]) => value !== undefined)?.[0];
  if (props.entry !== undefined && misplaced !== undefined) {
    throw laneError(
      scope,
      'ConflictingImageOption',
      `${misplaced} is set together with entry "${props.entry}": it is accepted with image only, because a module runs in the worker's container; remove it, or set image`,
    );
  }
  if (props.workerImage !== undefined && props.baseImage !== undefined) {
    throw laneError(
      scope,
      'ConflictingBaseImage',
      `baseImage is "${props.baseImage}" and workerImage is set: only one of them is accepted, because a built image has its base already; remove one`,
    );
  }
  if (props.baseImage !== undefined && !/^\S+@sha256:[0-9a-f]{64}$/.test(props.baseImage)) {
    throw laneError(
      scope,
      'MissingImageDigest',
      `baseImage must be registry/name@sha256:… with 64 hexadecimal digits, got "${props.baseImage}": a tag can be moved to another image; "docker buildx imagetools inspect" prints the digest`,
    );
  }
  if (props.image !== undefined && props.environment?.[AGENT_PORT_VARIABLE] !== undefined) {
    throw laneError(
      scope,
      'ReservedEnvironmentVariable',
      `environment variable ${AGENT_PORT_VARIABLE} is set: it is reserved, the library sets it to the port of the agent's container; set port instead`,
    );
  }
}

function checkedPort(scope: IConstruct, { port = DEFAULT_AGENT_PORT }: FargateWorkerOptions): number {
  if (!Number.isInteger(port) || port < 1 || port > 65_535 || port === DEFAULT_WORKER_PORT) {
    throw laneError(
      scope,
      'InvalidPort',
      `port must be an integer between 1 and 65535 other than ${DEFAULT_WORKER_PORT}, the port of the worker in the same task, got ${describeValue(port)}`,
    );
  }
  return port;
}

/** @throws LaneError unless the duration is whole seconds in the range */
function seconds(
  scope: IConstruct,
  code: string,
  name: string,
  duration: Duration,
  [min, max]: readonly [number, number],
  reason: string,
): Duration {
  const value = duration.isUnresolved() ? Number.NaN : duration.toSeconds({ integral: false });
  if (!Number.isInteger(value) || value < min || value > max) {
    throw laneError(
      scope,
      code,
      `${name} of the worker must be whole seconds between ${min} and ${max}, got ${describeValue(duration)} (${reason}`,
    );
  }
  return duration;
}

/** Without an environment: an idle lane costs nothing, and a lane with work does not depend on one worker. */
const DEFAULT_AVAILABILITY: WorkerAvailability = { standby: 0, floor: 2 };

/** Scaling of one lane. */
export interface LanePlan extends ScalingPlan {
  /** How long the load must be low before the lane scales in. */
  readonly scaleInMinutes: number;
}

/**
 * Scaling of the stable lane; the candidate lane has no minimum.
 *
 * @throws LaneError for numbers out of range, and for fewer workers than the environment requires
 */
export function checkScaling(
  scope: IConstruct,
  scaling: FargateScaling,
  environment: WorkerAvailability | undefined,
  concurrency: number,
): LanePlan {
  const { standby, floor: requiredFloor } = environment ?? DEFAULT_AVAILABILITY;
  const max = checkedInteger(scope, 'InvalidScalingMax', {
    name: 'scaling.max',
    value: scaling.max ?? 10,
    max: MAX_WORKERS,
  });
  const min = checkedInteger(scope, 'InvalidScalingMin', {
    name: 'scaling.min',
    value: scaling.min ?? standby,
    min: 0,
    max: MAX_WORKERS,
  });
  const floor = checkedInteger(scope, 'InvalidScalingFloor', {
    name: 'scaling.floor',
    value: scaling.floor ?? requiredFloor,
    max: MAX_WORKERS,
  });
  const after = scaling.scaleInAfter ?? Duration.minutes(5);
  const minutes = after.isUnresolved() ? Number.NaN : after.toMinutes({ integral: false });
  if (!Number.isInteger(minutes) || minutes < 1 || minutes > MAX_SCALE_IN_MINUTES) {
    throw laneError(
      scope,
      'InvalidScaleInAfter',
      `scaling.scaleInAfter must be whole minutes between 1 and ${MAX_SCALE_IN_MINUTES}, got ${describeValue(after)}`,
    );
  }
  for (const [name, own, required] of [
    ['min', min, standby],
    ['floor', floor, requiredFloor],
  ] as const) {
    if (own < required && environment !== undefined) {
      throw laneError(
        scope,
        'ConflictingEnvironment',
        `scaling.${name} of the worker must be at least ${required}, the minimum of the environment, got ${own}; leave it out, or set standbyWorkers of the environment`,
      );
    }
  }
  const plan = {
    min,
    floor,
    max,
    backlogPerWorker: checkedInteger(scope, 'InvalidBacklogPerWorker', {
      name: 'scaling.backlogPerWorker',
      value: scaling.backlogPerWorker ?? concurrency,
      max: 10_000,
    }),
    scaleInMinutes: minutes,
  };
  if (minRunningTasks(plan) > max) {
    throw laneError(
      scope,
      'ConflictingScaling',
      `scaling.max must be at least ${minRunningTasks(plan)}, the workers of a lane that has work (min ${min}, floor ${floor}), got ${max}; raise it`,
    );
  }
  return plan;
}

/** Settings that are part of the release. */
export function describeFargateSettings(
  settings: FargateSettings,
  props: FargateWorkerOptions,
): { [name: string]: string } {
  return {
    kind: 'fargate',
    architecture: settings.architecture === CpuArchitecture.ARM64 ? 'arm64' : 'x86_64',
    cpu: String(settings.size.cpu),
    memoryMiB: String(settings.size.memoryMiB),
    timeoutSeconds: String(settings.timeout.toSeconds()),
    stopTimeoutSeconds: String(settings.stopTimeout.toSeconds()),
    // Part of the release: the tasks of one worker share its memory and CPU.
    concurrency: String(settings.concurrency),
    ...(props.image === undefined ? {} : { port: String(settings.port) }),
    ...(props.command === undefined ? {} : { command: JSON.stringify(props.command) }),
    ...(props.baseImage === undefined ? {} : { baseImage: props.baseImage }),
    ...describeUserEnvironment(settings.environment),
  };
}

/** Settings that are not part of the release, to compare environments. */
export function describeOperation(
  settings: FargateSettings,
  { scaling = {} }: FargateWorkerOptions,
): { [name: string]: string } {
  return {
    capacity: settings.capacity.description,
    network: settings.network.description,
    ...Object.fromEntries(
      Object.entries(scaling).map(([name, value]) => [
        `scaling.${name}`,
        value instanceof Duration ? value.toHumanString() : String(value),
      ]),
    ),
  };
}
