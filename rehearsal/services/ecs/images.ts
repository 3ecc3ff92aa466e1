import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ImageAsset } from '../../assembly';
import { handlerNode } from '../../core/handler-node';
import { REHEARSAL_ACCOUNT, REHEARSAL_REGION } from '../../core/resource';
import { DockerfileError, type ImageConfig, readDockerfile } from './dockerfile';

/** Command that runs here instead of an image. */
export interface ImageCommand {
  /** Image as task definitions name it; `*` matches any text. */
  readonly image: string;
  /** Program and arguments. `node` is the Node that runs the rehearsal. */
  readonly command: readonly string[];
  /** Absolute path of the folder to run in. @default the image asset's folder, else that of the app */
  readonly cwd?: string;
}

/** How a container is run as a process. */
export interface Launch {
  readonly argv: readonly string[];
  readonly cwd: string;
  /** Variables of the image. */
  readonly environment: Readonly<Record<string, string>>;
}

/** A container that is ready to start, with its whole environment. */
export interface PreparedLaunch extends Launch {
  /** Argument vector of the health check; empty if there is none. */
  readonly healthArgv: readonly string[];
}

/** An image that cannot be run here. The message says what to do. */
export class ImageError extends Error {}

/** Entry point and command of a container definition. */
export interface CommandOverride {
  readonly entryPoint: readonly string[] | undefined;
  readonly command: readonly string[] | undefined;
}

/**
 * Resolves an image to a command: there is no container engine here. Commands of the scenario come first; for an image asset
 * of the assembly the `ENTRYPOINT` and `CMD` of its Dockerfile run in its folder.
 */
export class Images {
  readonly #given: readonly ImageCommand[];
  readonly #appDirectory: string;
  readonly #assets = new Map<string, ImageAsset>();

  /** @param appDirectory where commands run whose image is no asset */
  constructor(given: readonly ImageCommand[], appDirectory: string = process.cwd()) {
    this.#given = given;
    this.#appDirectory = appDirectory;
  }

  register(asset: ImageAsset): void {
    for (const { repository, tag } of asset.destinations) {
      this.#assets.set(`${registryHost()}/${repository}:${tag}`, asset);
    }
  }

  /** @throws ImageError */
  launchOf(image: string, override: CommandOverride): Launch {
    const asset = this.#assets.get(image);
    const given = this.#given.find((one) => matches(one.image, image));
    if (given !== undefined) {
      if (override.entryPoint !== undefined || override.command !== undefined) {
        throw new ImageError(
          `image ${image} with a Command or EntryPoint in its container definition: the scenario has a command for the whole image; remove one of the two`,
        );
      }
      const cwd = given.cwd ?? asset?.directory ?? this.#appDirectory;
      return { argv: runnable(given.command), cwd, environment: {} };
    }
    if (asset === undefined) {
      throw new ImageError(
        `image ${image}: no container engine here; set the command to run for it under "containers" in the scenario`,
      );
    }
    const config = configOf(asset, image);
    const entryPoint = override.entryPoint ?? config.entryPoint ?? [];
    // An entry point of the definition leaves nothing of the image's command.
    const command = override.command ?? (override.entryPoint === undefined ? config.command : undefined) ?? [];
    const argv = [...entryPoint, ...command];
    if (argv.length === 0) {
      throw new ImageError(
        `image ${image}: ${join(asset.directory, asset.dockerfile)} has neither ENTRYPOINT nor CMD; set the command to run under "containers" in the scenario`,
      );
    }
    return { argv: runnable(argv), cwd: asset.directory, environment: config.environment };
  }
}

/** Host of the account's registry. https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html */
export function registryHost(): string {
  return `${REHEARSAL_ACCOUNT}.dkr.ecr.${REHEARSAL_REGION}.amazonaws.com`;
}

/** PATH of programs: the folder of the Node.js that runs the rehearsal comes first. */
export function programPath(): string {
  return [dirname(handlerNode().program), process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin'].join(':');
}

function configOf(asset: ImageAsset, image: string): ImageConfig {
  const file = join(asset.directory, asset.dockerfile);
  try {
    return readDockerfile(readFileSync(file, 'utf8'), asset.target);
  } catch (error) {
    const why = error instanceof DockerfileError ? error.message : `cannot be read (${error})`;
    throw new ImageError(
      `image ${image}: ${file} ${why}; set the command to run for it under "containers" in the scenario`,
    );
  }
}

function runnable([program = '', ...rest]: readonly string[]): readonly string[] {
  return [program === 'node' ? handlerNode().program : program, ...rest];
}

function matches(pattern: string, image: string): boolean {
  const text = pattern
    .split('*')
    .map((part) => part.replace(/[\\^$.+?()[\]{}|]/g, '\\$&'))
    .join('.*');
  return new RegExp(`^${text}$`).test(image);
}
