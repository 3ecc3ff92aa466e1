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

/** An image in a registry that asks who pulls. */
export interface AgentImageDigestOptions {
  /**
   * Secret with `username` and `password` for a private registry
   * (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/private-auth.html).
   *
   * @default anybody may pull the image
   */
  readonly credentials?: ISecret;
}

/** How an image is built. */
export interface AgentImageAssetOptions {
  /** Relative to the directory. @default Dockerfile */
  readonly file?: string;
  /** Stage of the Dockerfile. @default the last */
  readonly target?: string;
  /** No secrets here: they stay in the image's history. @default none */
  readonly buildArgs?: { readonly [name: string]: string };
  /** Patterns of files that are no part of the image, beside those in `.dockerignore`. @default none */
  readonly exclude?: string[];
}

/** What of an image goes into a release. */
export interface AgentImageDescription {
  /** SHA-256 (64 hexadecimal digits): of the image itself, or of all that it is built from. */
  readonly digest: string;
  /** Files that the image is built from, for the provenance of the release. */
  readonly sources: string[];
}

const REPOSITORY_IN_ECR = /^\d{12}\.dkr\.ecr\./;

/**
 * A container image that cannot change: a tag can be moved to another image at any time, and a release that named one
 * would no longer be what it was.
 */
export abstract class AgentImage {
  /**
   * An image in any registry but ECR's private one.
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
        `image is "${reference}": expected registry/name@sha256:… with 64 hexadecimal digits, known at synth, for a tag can be moved to another image under a release; "docker buildx imagetools inspect ${name}" prints the digest, or have the image built from a folder by AgentImage.asset`,
      );
    }
    if (name.slice(name.lastIndexOf('/')).includes(':')) {
      throw laneError(
        undefined,
        'MissingImageDigest',
        `image is "${reference}", with a tag beside its digest: expected the digest alone, for the tag says nothing that ECS would look at; take it out`,
      );
    }
    if (REPOSITORY_IN_ECR.test(name)) {
      throw laneError(
        undefined,
        'UnsupportedImageRegistry',
        `image "${reference}" is in a repository of ECR, which lets nobody pull without permission: expected AgentImage.ecr, which gives it; use AgentImage.ecr(Repository.fromRepositoryArn(…), '${digest}')`,
      );
    }
    return new RegistryImage(name, digest, options.credentials);
  }

  /**
   * An image in a repository of ECR. Workers are let pull from it.
   *
   * @param digest `sha256:…`
   * @throws LaneError for a tag
   */
  static ecr(repository: IRepository, digest: string): AgentImage {
    if (Token.isUnresolved(digest) || !isDigest(digest)) {
      throw laneError(
        undefined,
        'MissingImageDigest',
        `image in the repository is "${digest}": expected sha256: and 64 hexadecimal digits, known at synth, for a tag can be moved to another image under a release; "aws ecr describe-images --image-ids imageTag=…" prints the digest`,
      );
    }
    return new RepositoryImage(repository, digest);
  }

  /**
   * An image that `cdk deploy` builds and publishes. What it is built from is its digest; what its Dockerfile fetches from
   * elsewhere is fetched once, when that digest is published first.
   *
   * @param directory with a Dockerfile, relative to the directory that the app is run in
   */
  static asset(directory: string, options: AgentImageAssetOptions = {}): AgentImage {
    return new BuiltImage(directory, options);
  }

  /** Whether it is pulled from outside AWS. */
  abstract readonly needsInternet: boolean;

  /** Same answer whenever it is asked with the same content. @internal */
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
        `image folder "${directory}" has no ${file}: expected one to build the image from; paths are relative to ${process.cwd()}`,
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

/** Id of the construct under which images are, so that a release can be derived from them before there is a worker. */
const IMAGES_SCOPE = 'WorkerImages';

/** The asset of a build: one and the same when it is asked for again under the same scope. */
export function imageAsset(scope: Construct, build: ImageBuild): DockerImageAsset {
  const place = (scope.node.tryFindChild(IMAGES_SCOPE) as Construct | undefined) ?? new Construct(scope, IMAGES_SCOPE);
  // The id goes nowhere: assets have no logical id.
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
