import { ContainerImage } from 'aws-cdk-lib/aws-ecs';
import type { Construct } from 'constructs';
import type { ModelSpec } from '../../release';
import { bundleAgent } from '../agent-bundle';
import { stageWorker, type WorkerProgram, workerCore } from '../worker-core';
import { imageAsset } from './agent-image';
import type { FargateSettings } from './fargate-settings';
import type { FargateWorkerOptions } from './fargate-worker-options';

/** Argument of the Dockerfile that names the image to build upon. */
const BASE_ARGUMENT = 'BASE_IMAGE';

/** The image that the worker's container runs. */
export interface WorkerImage {
  readonly image: ContainerImage;
  /** What the bundler found odd. */
  readonly warnings: string[];
}

/** How the worker's container is started: with the agent's module in its process, or beside the agent's container. */
export function programOf({ entry }: FargateWorkerOptions): WorkerProgram {
  return entry === undefined ? 'sidecar' : 'container';
}

/** Same answer under the same scope. */
export function workerImage(
  scope: Construct,
  props: FargateWorkerOptions,
  settings: FargateSettings,
  models: readonly ModelSpec[],
): WorkerImage {
  const { platform } = settings;
  if (props.workerImage !== undefined) {
    return { image: props.workerImage._bind(scope, platform), warnings: [] };
  }
  const agent = props.entry === undefined ? undefined : bundleAgent(scope, props.entry);
  const { directory } = stageWorker(scope, workerCore(programOf(props), models), agent);
  const asset = imageAsset(scope, {
    directory,
    platform,
    ...(props.baseImage === undefined ? {} : { buildArgs: { [BASE_ARGUMENT]: props.baseImage } }),
  });
  return { image: ContainerImage.fromDockerImageAsset(asset), warnings: agent?.warnings ?? [] };
}
