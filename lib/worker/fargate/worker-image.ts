import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DockerImageAsset } from 'aws-cdk-lib/aws-ecr-assets';
import { ContainerImage } from 'aws-cdk-lib/aws-ecs';
import type { Construct } from 'constructs';
import { laneError, packageRoot, stageFile } from '../../common';
import { digestOf, sha256 } from '../../contract';
import { bundleAgent, CONTAINER_BUNDLE } from '../agent-bundle';
import { imageAsset } from './agent-image';
import type { FargateSettings } from './fargate-settings';
import type { FargateWorkerOptions } from './fargate-worker-options';

/** Argument of the Dockerfile that names the image to build upon. */
const BASE_ARGUMENT = 'BASE_IMAGE';

/** The image that the worker's container runs. */
export interface WorkerImage {
  /** SHA-256 of the image, or of all that it is built from. */
  readonly digest: string;
  readonly image: ContainerImage;
  /** Files of the agent in it. */
  readonly sources: string[];
  /** What the bundler found odd. */
  readonly warnings: string[];
}

/**
 * The worker with the agent's module in its process, or the one that stands beside the agent's container. Same answer under
 * the same scope.
 */
export function workerImage(scope: Construct, props: FargateWorkerOptions, settings: FargateSettings): WorkerImage {
  const { platform } = settings;
  if (props.workerImage !== undefined) {
    return {
      digest: props.workerImage._describe(scope, platform).digest,
      image: props.workerImage._bind(scope, platform),
      sources: [],
      warnings: [],
    };
  }
  const build = {
    platform,
    ...(props.baseImage === undefined ? {} : { buildArgs: { [BASE_ARGUMENT]: props.baseImage } }),
  };
  if (props.entry === undefined) {
    const asset = imageAsset(scope, { directory: libraryFolder('index.js'), ...build });
    return { ...imageOf(asset), sources: [], warnings: [] };
  }
  const { code, digest, sources, warnings } = bundleAgent(scope, props.entry, CONTAINER_BUNDLE);
  const dockerfile = readFileSync(join(libraryFolder(), 'Dockerfile'));
  const staged = digestOf({ code: digest, dockerfile: sha256(dockerfile) });
  stageFile(scope, staged, 'Dockerfile', dockerfile);
  const directory = stageFile(scope, staged, 'index.js', code);
  return { ...imageOf(imageAsset(scope, { directory, ...build })), sources, warnings };
}

function imageOf(asset: DockerImageAsset): { digest: string; image: ContainerImage } {
  return { digest: asset.assetHash, image: ContainerImage.fromDockerImageAsset(asset) };
}

/** Folder of the worker's image in this package. */
function libraryFolder(...needed: string[]): string {
  const folder = join(packageRoot(), 'assets', 'container-worker');
  const missing = ['Dockerfile', ...needed].map((name) => join(folder, name)).find((file) => !existsSync(file));
  if (missing !== undefined) {
    throw laneError(
      undefined,
      'MissingPackageFile',
      `the package has no image of the container worker: expected ${missing}; in a checkout run "npm run build:bundles", else install the package again`,
    );
  }
  return folder;
}
