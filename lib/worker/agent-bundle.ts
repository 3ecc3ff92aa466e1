import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { Token } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';
import type { BuildFailure, BuildResult, Message } from 'esbuild';
import { laneError, packageRoot } from '../common';
import { sha256 } from '../contract';

/** An agent and all that it needs, in one file. */
export interface AgentBundle {
  /** Content of `index.js`. */
  readonly code: Uint8Array;
  /** SHA-256 of the code, and of nothing else. */
  readonly digest: string;
  /** Files that the agent's author keeps: what was bundled, less `node_modules` and this library. */
  readonly sources: string[];
  /** What the bundler found odd. */
  readonly warnings: string[];
}

/** What a bundle is for. */
export interface BundleTarget {
  /** Folder of `lambda/` with the worker for the platform, and the last part of its name in an import. */
  readonly module: 'worker' | 'container';
  /** The module around the agent, whose own lies beside it. */
  readonly entry: (agent: string) => string[];
}

/** Exports `handler`, as Lambda calls it. */
export const LAMBDA_BUNDLE: BundleTarget = {
  module: 'worker',
  entry: (agent) => [
    "import { createHandler } from 'cdk-agent-lanes/worker';",
    `import agent from ${agent};`,
    'export const handler = createHandler(agent);',
  ],
};

/**
 * Takes tasks when it is started by `node index.js`, and tells how the worker is when it is started by `node index.js
 * health`: every few seconds, so that is done without the agent's module.
 */
export const CONTAINER_BUNDLE: BundleTarget = {
  module: 'container',
  entry: (agent) => [
    "import { runContainer } from 'cdk-agent-lanes/container';",
    `runContainer(async () => (await import(${agent})).default);`,
  ],
};

/** Fingerprints of a bundle's inputs, to see whether it is still that of the files. */
interface CachedBundle {
  readonly bundle: AgentBundle;
  readonly inputs: ReadonlyMap<string, string>;
}

/**
 * One app may synthesize one agent in several stages and stacks: each entry is bundled once for a target as long as no input
 * changes.
 */
const cache = new Map<string, CachedBundle>();

/**
 * Bundles the module whose default export is an agent, with the worker of this library around it.
 *
 * The result depends on content alone, that of the nearest tsconfig.json included: no path, no comment and no source map
 * gets into it.
 *
 * @param scope for messages
 * @param entry relative to the directory that the app is run in
 * @throws LaneError for an entry that is missing, cannot be bundled, or has no default export
 */
export function bundleAgent(scope: IConstruct, entry: string, target: BundleTarget = LAMBDA_BUNDLE): AgentBundle {
  if (Token.isUnresolved(entry)) {
    throw laneError(
      scope,
      'UnresolvedWorker',
      `worker entry is a token (${entry}): expected a path that exists at synth; write the path into the app`,
    );
  }
  const path = resolve(entry);
  if (!existsSync(path) || !statSync(path).isFile()) {
    throw laneError(
      scope,
      'MissingEntry',
      `worker entry "${entry}" is not a file: expected the module whose default export is the agent; paths are relative to ${process.cwd()}`,
    );
  }
  const key = `${target.module} ${path}`;
  const known = cache.get(key);
  if (known !== undefined && [...known.inputs].every(([file, fingerprint]) => fingerprintOf(file) === fingerprint)) {
    return known.bundle;
  }
  const result = build(scope, entry, path, target);
  const bundle = toBundle(scope, entry, path, result);
  cache.set(key, {
    bundle,
    inputs: new Map(inputsOf(result).map((file) => [file, fingerprintOf(file)])),
  });
  return bundle;
}

/** The worker and the runtime of this library, side by side: an agent and its worker must share one copy of them. */
function librarySource(name: BundleTarget['module'] | 'runtime'): string {
  const root = packageRoot();
  const folder = name === 'container' ? join('functions', name) : name;
  const candidates = [join(root, 'lambda', folder, 'index.ts'), join(root, 'dist', 'lambda', folder, 'index.js')];
  const found = candidates.find((candidate) => existsSync(candidate));
  if (found === undefined) {
    throw laneError(
      undefined,
      'MissingPackageFile',
      `the package has no lambda/${name}: expected ${candidates.join(' or ')}; in a checkout run "npm run build:types", else install the package again`,
    );
  }
  return found;
}

type AgentBuild = BuildResult<{ write: false; metafile: true }>;

function build(scope: IConstruct, entry: string, path: string, target: BundleTarget): AgentBuild {
  // Loaded here and not above: an app whose workers come bundled need not have the bundler in memory.
  const { buildSync } = require('esbuild') as typeof import('esbuild');
  const agent = JSON.stringify(`./${basename(path)}`);
  const module = { resolveDir: dirname(path), sourcefile: 'worker-entry.ts', loader: 'ts' } as const;
  try {
    // What is imported when it is needed is not asked for its exports: here it is.
    buildSync({
      stdin: { contents: `import agent from ${agent};\nexport const found = agent;`, ...module },
      bundle: true,
      packages: 'external',
      write: false,
      logLevel: 'silent',
    });
    return buildSync({
      stdin: {
        contents: target.entry(agent).join('\n'),
        ...module,
      },
      alias: {
        [`cdk-agent-lanes/${target.module}`]: librarySource(target.module),
        'cdk-agent-lanes/runtime': librarySource('runtime'),
      },
      bundle: true,
      minify: true,
      // Names of classes appear in logs and in errors' `name`.
      keepNames: true,
      legalComments: 'none',
      sourcemap: false,
      platform: 'node',
      target: 'node22',
      format: 'cjs',
      // The ES modules of a package are what unused exports can be taken out of. Forcing them on `require` as well keeps
      // a package that offers both kinds from being bundled twice.
      mainFields: ['module', 'main'],
      conditions: ['node', 'import'],
      write: false,
      metafile: true,
      logLevel: 'silent',
    });
  } catch (error) {
    if (!isBuildFailure(error)) {
      throw error;
    }
    if (error.errors.some((message) => /^No matching export in .* for import "default"$/.test(message.text))) {
      throw noDefaultExport(scope, entry);
    }
    throw laneError(
      scope,
      'InvalidEntry',
      `worker entry "${entry}" cannot be bundled: ${error.errors.map(describe).join('; ')}; correct the source, or bundle it yourself and hand it in as code`,
    );
  }
}

function toBundle(scope: IConstruct, entry: string, path: string, result: AgentBuild): AgentBundle {
  const code = result.outputFiles[0]?.contents;
  if (code === undefined) {
    throw laneError(
      scope,
      'InvalidEntry',
      `worker entry "${entry}" gave no output; bundle it yourself and hand it in as code`,
    );
  }
  // A module that neither imports nor exports gives no error: esbuild takes it for CommonJS, where anything goes.
  const input = Object.entries(result.metafile.inputs).find(([file]) => resolve(file) === path)?.[1];
  if (input?.format === undefined) {
    throw noDefaultExport(scope, entry);
  }
  return {
    code,
    digest: sha256(code),
    sources: inputsOf(result)
      .filter((file) => !file.split(sep).includes('node_modules') && !isLibraryFile(file))
      .map((file) => relative(process.cwd(), file))
      .sort(),
    warnings: result.warnings.map(describe),
  };
}

function noDefaultExport(scope: IConstruct, entry: string): Error {
  return laneError(
    scope,
    'MissingDefaultExport',
    `worker entry "${entry}" has no default export: expected "export default defineAgent({ … })"; add it`,
  );
}

function inputsOf(result: AgentBuild): string[] {
  return Object.keys(result.metafile.inputs)
    .map((file) => resolve(file))
    .filter((file) => existsSync(file));
}

function isLibraryFile(file: string): boolean {
  const path = relative(packageRoot(), file);
  return path.startsWith(`lambda${sep}`) || path.startsWith(`lib${sep}`) || path.startsWith(`dist${sep}`);
}

/** Installed packages do not change under a running synth: their size and time say enough. */
function fingerprintOf(file: string): string {
  if (!existsSync(file)) {
    return 'gone';
  }
  if (file.split(sep).includes('node_modules')) {
    const { size, mtimeMs } = statSync(file);
    return `${size} ${mtimeMs}`;
  }
  return sha256(readFileSync(file));
}

function isBuildFailure(error: unknown): error is BuildFailure {
  // Not by its class: the error may come from another realm than this module (a test runner's sandbox).
  return typeof error === 'object' && error !== null && 'errors' in error && Array.isArray(error.errors);
}

function describe(message: Message): string {
  const at = message.location;
  return at === null ? message.text : `${at.file}:${at.line}:${at.column + 1}: ${message.text}`;
}
