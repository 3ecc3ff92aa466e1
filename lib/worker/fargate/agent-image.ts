import { existsSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { Token } from 'aws-cdk-lib';
import type { IRepository } from 'aws-cdk-lib/aws-ecr';
import { DockerImageAsset, type Platform } from 'aws-cdk-lib/aws-ecr-assets';
import { ContainerImage } from 'aws-cdk-lib/aws-ecs';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { laneError } from '../../common';
import { sha256 } from '../../contract';

/** Options of `AgentImage.digest`. */
export interface AgentImageDigestOptions {
  /**
   * Secret with `username` and `password` for a private registry
   * (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/private-auth.html).
   *
   * @default - the image is public
   */
  readonly credentials?: ISecret;
}

/** Options of `AgentImage.asset`. */
export interface AgentImageAssetOptions {
  /** Path of the Dockerfile, relative to the directory. @default Dockerfile */
  readonly file?: string;
  /** Build stage of the Dockerfile. @default - the last stage */
  readonly target?: string;
  /** Build arguments. Do not put secrets here: they stay in the image's history. @default - none */
  readonly buildArgs?: { readonly [name: string]: string };
  /** Patterns of files to exclude from the build, in addition to `.dockerignore`. @default - none */
  readonly exclude?: string[];
}

/** The part of an image that belongs to the release. */
export interface AgentImageDescription {
  /** SHA-256 (64 hexadecimal digits) of the image itself, or of the files that it is built from. */
  readonly digest: string;
  /** Files that the image is built from, for the provenance of the release. */
  readonly sources: string[];
}

const REPOSITORY_IN_ECR = /^\d{12}\.dkr\.ecr\./;

/**
 * An immutable container image. A tag can be moved to another image at any time, which would change a release that names it.
 */
export abstract class AgentImage {
  /**
   * An image in any registry except for private repositories in ECR.
   *
   * @param reference `registry/name@sha256:…`; `docker buildx imagetools inspect registry/name:tag` prints the digest
   * @throws LaneError without a digest
   */
  static digest(reference: string, options: AgentImageDigestOptions = {}): AgentImage {
    const [name = '', digest, ...more] = reference.split('@');
    if (Token.isUnresolved(reference) || digest === undefined || more.length > 0 || !isDigest(digest)) {
      throw laneError(
        undefined,
        'MissingImageDigest',
        `image must be registry/name@sha256:… with 64 hexadecimal digits, got "${reference}": a tag can be moved to another image; "docker buildx imagetools inspect ${name}" prints the digest, and AgentImage.asset builds an image from a folder`,
      );
    }
    if (name.slice(name.lastIndexOf('/')).includes(':')) {
      throw laneError(
        undefined,
        'MissingImageDigest',
        `image must have a digest without a tag, got "${reference}": ECS ignores the tag; remove it`,
      );
    }
    if (REPOSITORY_IN_ECR.test(name)) {
      throw laneError(
        undefined,
        'UnsupportedImageRegistry',
        `image "${reference}" is in a private repository of ECR, from which workers need permission to pull; use AgentImage.ecr(Repository.fromRepositoryArn(…), '${digest}')`,
      );
    }
    return new RegistryImage(name, digest, options.credentials);
  }

  /**
   * An image in a repository of ECR. Workers get permission to pull it.
   *
   * @param digest `sha256:…`
   * @throws LaneError for a tag
   */
  static ecr(repository: IRepository, digest: string): AgentImage {
    if (Token.isUnresolved(digest) || !isDigest(digest)) {
      throw laneError(
        undefined,
        'MissingImageDigest',
        `digest of the image must be sha256: and 64 hexadecimal digits, got "${digest}": a tag can be moved to another image; "aws ecr describe-images --image-ids imageTag=…" prints the digest`,
      );
    }
    return new RepositoryImage(repository, digest);
  }

  /**
   * An image that `cdk deploy` builds and publishes. The files that it is built from determine its digest; downloads in its
   * Dockerfile happen once, when that digest is published first.
   *
   * @param directory with a Dockerfile, relative to the directory that the app runs in
   */
  static asset(directory: string, options: AgentImageAssetOptions = {}): AgentImage {
    return new BuiltImage(directory, options);
  }

  /** Whether the image is pulled from outside AWS. */
  abstract readonly needsInternet: boolean;

  /** Deterministic for the same content. @internal */
  abstract _describe(scope: Construct, platform: Platform): AgentImageDescription;

  /** @internal */
  abstract _bind(scope: Construct, platform: Platform): ContainerImage;
}

function isDigest(text: string): boolean {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}

function hexOf(digest: string): string {
  return digest.slice('sha256:'.length);
}

class RegistryImage extends AgentImage {
  readonly needsInternet = true;

  constructor(
    private readonly name: string,
    private readonly digest: string,
    private readonly credentials: ISecret | undefined,
  ) {
    super();
  }

  /** @internal */
  _describe(): AgentImageDescription {
    return { digest: hexOf(this.digest), sources: [] };
  }

  /** @internal */
  _bind(): ContainerImage {
    const { credentials } = this;
    return ContainerImage.fromRegistry(`${this.name}@${this.digest}`, credentials === undefined ? {} : { credentials });
  }
}

class RepositoryImage extends AgentImage {
  readonly needsInternet = false;

  constructor(
    private readonly repository: IRepository,
    private readonly digest: string,
  ) {
    super();
  }

  /** @internal */
  _describe(): AgentImageDescription {
    return { digest: hexOf(this.digest), sources: [] };
  }

  /** @internal */
  _bind(): ContainerImage {
    return ContainerImage.fromEcrRepository(this.repository, this.digest);
  }
}

class BuiltImage extends AgentImage {
  readonly needsInternet = false;

  constructor(
    private readonly directory: string,
    private readonly options: AgentImageAssetOptions,
  ) {
    super();
  }

  /** @internal */
  _describe(scope: Construct, platform: Platform): AgentImageDescription {
    const { assetHash } = this.asset(scope, platform);
    return { digest: assetHash, sources: [relative(process.cwd(), resolve(this.directory))] };
  }

  /** @internal */
  _bind(scope: Construct, platform: Platform): ContainerImage {
    return ContainerImage.fromDockerImageAsset(this.asset(scope, platform));
  }

  private asset(scope: Construct, platform: Platform): DockerImageAsset {
    const { directory, options } = this;
    const file = options.file ?? 'Dockerfile';
    if (Token.isUnresolved(directory) || !existsSync(resolve(directory, file))) {
      throw laneError(
        scope,
        'MissingImageSource',
        `image folder "${directory}" has no ${file} to build the image from; paths are relative to ${process.cwd()}`,
      );
    }
    return imageAsset(scope, { directory: resolve(directory), platform, ...options });
  }
}

interface ImageBuild extends AgentImageAssetOptions {
  /** Absolute. */
  readonly directory: string;
  readonly platform: Platform;
}

/** Id of the construct that holds the image assets: the release is derived from them before the worker exists. */
const IMAGES_SCOPE = 'WorkerImages';

/** The asset of a build: created once per scope. */
export function imageAsset(scope: Construct, build: ImageBuild): DockerImageAsset {
  const place = (scope.node.tryFindChild(IMAGES_SCOPE) as Construct | undefined) ?? new Construct(scope, IMAGES_SCOPE);
  // The id is not in the template: assets have no logical id.
  const id = `Image${sha256(JSON.stringify(build)).slice(0, 16)}`;
  const { directory, platform, file, target, buildArgs, exclude } = build;
  return (
    (place.node.tryFindChild(id) as DockerImageAsset | undefined) ??
    new DockerImageAsset(place, id, {
      directory,
      platform,
      file,
      target,
      buildArgs,
      exclude,
    })
  );
}
