import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Construct } from 'constructs';
import { packageFile, stageFile } from '../common';
import { digestOf, type ModelProviderName, sha256 } from '../contract';
import type { ModelSpec } from '../release';

/** What starts the worker: Lambda, a container that has the agent in its process, or one beside the agent's container. */
export type WorkerProgram = 'lambda' | 'container' | 'sidecar';

/** File of each provider's module, beside the core that loads it at its first call. */
const PROVIDER_FILES: Readonly<Record<ModelProviderName, string>> = {
  anthropic: 'anthropic.js',
  openai: 'openai.js',
  openai_compatible: 'openai.js',
  bedrock: 'bedrock.js',
};

/** Where each program is in the package's `assets/worker`. In an asset it is `index.js`. */
const PROGRAM_FILES: Readonly<Record<WorkerProgram, string>> = {
  lambda: 'lambda.js',
  container: 'container.js',
  sidecar: 'index.js',
};

/** The part of an asset that is this library's: the worker, bundled when the library was built. */
export interface WorkerCore {
  /** Content by name in the asset. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** SHA-256 over names and contents. */
  readonly digest: string;
}

/**
 * The files of a worker that calls these models, and the modules of no other provider.
 *
 * @throws LaneError when the package does not have them
 */
export function workerCore(program: WorkerProgram, models: readonly ModelSpec[]): WorkerCore {
  const providers = models.map(({ _settings }) => PROVIDER_FILES[_settings.provider]);
  const sources: Readonly<Record<string, string>> = {
    'index.js': PROGRAM_FILES[program],
    ...Object.fromEntries(['core.js', 'runtime.js', ...providers].map((name) => [name, name])),
    ...(program === 'lambda' ? {} : { Dockerfile: 'Dockerfile' }),
  };
  const files = new Map(Object.entries(sources).map(([name, source]) => [name, contentOf(source)]));
  const digest = digestOf(Object.fromEntries([...files].map(([name, content]) => [name, sha256(content)])));
  return { files, digest };
}

/**
 * Writes the worker, and the agent's bundle if it runs in the worker's process, into the cloud assembly.
 *
 * @returns the folder of the asset, and the digest of what is in it
 */
export function stageWorker(
  scope: Construct,
  core: WorkerCore,
  agent?: { readonly code: Uint8Array; readonly digest: string },
): { readonly directory: string; readonly digest: string } {
  const digest = agent === undefined ? core.digest : digestOf({ agent: agent.digest, library: core.digest });
  const files = new Map(core.files);
  if (agent !== undefined) {
    files.set('agent.js', agent.code);
  }
  let directory = '';
  for (const [name, content] of files) {
    directory = stageFile(scope, digest, name, content);
  }
  return { directory, digest };
}

/** Files of an installed package do not change while an app is synthesized. */
const contents = new Map<string, Uint8Array>();

function contentOf(name: string): Uint8Array {
  const known = contents.get(name);
  if (known !== undefined) {
    return known;
  }
  const content = readFileSync(packageFile(join('assets', 'worker', name)));
  contents.set(name, content);
  return content;
}
