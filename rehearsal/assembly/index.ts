import { existsSync, readFileSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';
import { REHEARSAL_ACCOUNT, REHEARSAL_REGION } from '../core/resource';

/** What `cdk synth` wrote. */
export interface Assembly {
  readonly directory: string;
  readonly stacks: readonly AssemblyStack[];
}

export interface AssemblyStack {
  readonly name: string;
  /** Folder that the template and its assets are in: of a stage, that of its nested assembly. */
  readonly directory: string;
  /** As read from JSON. */
  readonly template: unknown;
  readonly assets: readonly FileAsset[];
  readonly images: readonly ImageAsset[];
  /** Path of the construct behind a logical id. */
  pathOf(logicalId: string): string | undefined;
}

/** A file or folder that `cdk deploy` would upload. */
export interface FileAsset {
  readonly id: string;
  /** Absolute path of a folder (packaging zip) or a file. */
  readonly path: string;
  readonly packaging: 'zip' | 'file';
  readonly destinations: readonly { readonly bucket: string; readonly key: string }[];
}

/** A container image that `cdk deploy` would build and push. */
export interface ImageAsset {
  readonly id: string;
  /** Absolute path of the build context. */
  readonly directory: string;
  /** Path of the Dockerfile in it. */
  readonly dockerfile: string;
  /** Stage of the Dockerfile that is built; the last one if absent. */
  readonly target: string | undefined;
  /** Repositories and tags that it is pushed to. */
  readonly destinations: readonly { readonly repository: string; readonly tag: string }[];
}

/** An assembly that cannot be read or that the rehearsal does not support. The message names the file. */
export class AssemblyError extends Error {}

const artifactSchema = z.looseObject({
  type: z.string(),
  properties: z.looseObject({}).optional(),
  dependencies: z.array(z.string()).default([]),
  additionalMetadataFile: z.string().optional(),
  metadata: z.record(z.string(), z.array(z.looseObject({ type: z.string(), data: z.unknown() }))).optional(),
});

const manifestSchema = z.looseObject({ artifacts: z.record(z.string(), artifactSchema).default({}) });

const assetManifestSchema = z.looseObject({
  files: z
    .record(
      z.string(),
      z.looseObject({
        source: z.looseObject({
          path: z.string().optional(),
          packaging: z.enum(['zip', 'file']).default('file'),
          executable: z.array(z.string()).optional(),
        }),
        destinations: z.record(z.string(), z.looseObject({ bucketName: z.string(), objectKey: z.string() })),
      }),
    )
    .default({}),
  dockerImages: z
    .record(
      z.string(),
      z.looseObject({
        source: z.looseObject({
          directory: z.string().optional(),
          dockerFile: z.string().default('Dockerfile'),
          dockerBuildTarget: z.string().optional(),
          executable: z.array(z.string()).optional(),
        }),
        destinations: z.record(z.string(), z.looseObject({ repositoryName: z.string(), imageTag: z.string() })),
      }),
    )
    .default({}),
});

const metadataSchema = z.record(z.string(), z.array(z.looseObject({ type: z.string(), data: z.unknown() })));

/**
 * Reads a cloud assembly, nested ones of stages included.
 *
 * @throws AssemblyError
 */
export function readAssembly(directory: string): Assembly {
  const root = resolve(directory);
  const manifest = readJson(join(root, 'manifest.json'), manifestSchema);
  const stacks: AssemblyStack[] = [];
  for (const [id, artifact] of Object.entries(manifest.artifacts)) {
    if (artifact.type === 'aws:cloudformation:stack') {
      stacks.push(readStack(root, id, artifact, manifest.artifacts));
    } else if (artifact.type === 'cdk:cloud-assembly') {
      const nested = artifact.properties?.directoryName;
      if (typeof nested === 'string') {
        stacks.push(...readAssembly(join(root, nested)).stacks);
      }
    }
  }
  return { directory: root, stacks };
}

/**
 * The stack of that name, or the only one.
 *
 * @throws AssemblyError with the names of the stacks
 */
export function chooseStack(assembly: Assembly, name?: string): AssemblyStack {
  const found = name === undefined ? assembly.stacks : assembly.stacks.filter((stack) => stack.name === name);
  const [stack] = found;
  if (stack === undefined || found.length > 1) {
    const names = assembly.stacks.map((candidate) => candidate.name).join(', ') || 'none';
    throw new AssemblyError(
      name === undefined
        ? `${assembly.directory} holds ${assembly.stacks.length} stacks (${names}): name the one to deploy`
        : `${assembly.directory} holds no stack ${name}; existing stacks: ${names}`,
    );
  }
  return stack;
}

type Artifact = z.infer<typeof artifactSchema>;

function readStack(
  root: string,
  id: string,
  artifact: Artifact,
  artifacts: Readonly<Record<string, Artifact>>,
): AssemblyStack {
  const { templateFile, stackName } = artifact.properties ?? {};
  if (typeof templateFile !== 'string') {
    throw new AssemblyError(`${join(root, 'manifest.json')}: stack ${id} names no templateFile`);
  }
  const paths = new Map<string, string>();
  const metadata =
    artifact.additionalMetadataFile === undefined
      ? (artifact.metadata ?? {})
      : readJson(join(root, artifact.additionalMetadataFile), metadataSchema);
  for (const [path, entries] of Object.entries(metadata)) {
    for (const entry of entries) {
      if (entry.type === 'aws:cdk:logicalId' && typeof entry.data === 'string') {
        paths.set(entry.data, path.replace(/^\//, ''));
      }
    }
  }
  const manifests = artifact.dependencies
    .map((dependency) => artifacts[dependency])
    .filter((dependency) => dependency?.type === 'cdk:asset-manifest')
    .flatMap((dependency) => {
      const file = dependency?.properties?.file;
      return typeof file === 'string' ? [readAssets(root, file)] : [];
    });
  return {
    name: typeof stackName === 'string' ? stackName : id,
    directory: root,
    template: readJson(join(root, templateFile), z.unknown()),
    assets: manifests.flatMap(({ files }) => files),
    images: manifests.flatMap(({ images }) => images),
    pathOf: (logicalId) => paths.get(logicalId),
  };
}

function readAssets(
  root: string,
  file: string,
): { readonly files: readonly FileAsset[]; readonly images: readonly ImageAsset[] } {
  const where = join(root, file);
  const manifest = readJson(where, assetManifestSchema);
  /** Absolute path of the source of an asset. */
  const located = (id: string, path: string | undefined, executable: readonly string[] | undefined): string => {
    if (path === undefined) {
      throw new AssemblyError(
        `${where}: not rehearsable: asset ${id} is made by a command (${executable?.join(' ') ?? 'no source'})`,
      );
    }
    const absolute = isAbsolute(path) ? path : join(root, path);
    if (!existsSync(absolute)) {
      throw new AssemblyError(`${where}: asset ${id}: ${absolute} does not exist; run cdk synth again`);
    }
    return absolute;
  };
  const files = Object.entries(manifest.files).map(([id, { source, destinations }]) => ({
    id,
    path: located(id, source.path, source.executable),
    packaging: source.packaging,
    destinations: Object.values(destinations).map(({ bucketName, objectKey }) => ({
      bucket: filledIn(bucketName),
      key: filledIn(objectKey),
    })),
  }));
  const images = Object.entries(manifest.dockerImages).map(([id, { source, destinations }]) => ({
    id,
    directory: located(id, source.directory, source.executable),
    dockerfile: source.dockerFile,
    target: source.dockerBuildTarget,
    destinations: Object.values(destinations).map(({ repositoryName, imageTag }) => ({
      repository: filledIn(repositoryName),
      tag: imageTag,
    })),
  }));
  return { files, images };
}

const PLACEHOLDERS: Readonly<Record<string, string>> = {
  AccountId: REHEARSAL_ACCOUNT,
  Region: REHEARSAL_REGION,
  Partition: 'aws',
};

function filledIn(text: string): string {
  return text.replace(/\$\{AWS::(\w+)\}/g, (all, name: string) => PLACEHOLDERS[name] ?? all);
}

function readJson<T extends z.ZodType>(file: string, schema: T): z.infer<T> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new AssemblyError(`cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new AssemblyError(`${file}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`);
  }
  return parsed.data;
}
