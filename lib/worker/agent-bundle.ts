import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, relative, resolve, sep } from 'node:path';
import { Token } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';
import type { BuildFailure, BuildResult, Message } from 'esbuild';
import { laneError, packageRoot } from '../common';
import { sha256 } from '../contract';

/** An agent and what it imports, in one file. The worker that runs it is beside it: see worker-core.ts. */
export interface AgentBundle {
  /** Content of `agent.js`, a CommonJS module whose `default` is the agent. */
  readonly code: Uint8Array;
  /** SHA-256 of the code, and of nothing else. */
  readonly digest: string;
  /** Files that the agent's author keeps: what was bundled, less `node_modules` and this library. */
  readonly sources: string[];
  /** What the bundler found odd. */
  readonly warnings: string[];
}

/** Fingerprints of a bundle's inputs, to see whether it is still that of the files. */
interface CachedBundle {
  readonly bundle: AgentBundle;
  readonly inputs: ReadonlyMap<string, string>;
}

/** One app may synthesize one agent in several stages and stacks: each entry is bundled once as long as no input changes. */
const cache = new Map<string, CachedBundle>();

/**
 * Bundles the module whose default export is an agent. Nothing of this library gets into the bundle, so a new version of
 * the library does not change the digest of the agent's code.
 *
 * The result depends on content alone, that of the nearest tsconfig.json included: no path, no comment and no source map
 * gets into it.
 *
 * @param scope for messages
 * @param entry relative to the directory that the app is run in
 * @throws LaneError for an entry that is missing, cannot be bundled, or has no default export
 */
export function bundleAgent(scope: IConstruct, entry: string): AgentBundle {
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
  const known = cache.get(path);
  if (known !== undefined && [...known.inputs].every(([file, fingerprint]) => fingerprintOf(file) === fingerprint)) {
    return known.bundle;
  }
  const result = build(scope, entry, path);
  const bundle = toBundle(scope, entry, path, result);
  cache.set(path, {
    bundle,
    inputs: new Map(inputsOf(result).map((file) => [file, fingerprintOf(file)])),
  });
  return bundle;
}

/** What the agent imports of this library: the file beside the bundle that gives the worker's own copy. */
const RUNTIME_FILE = './runtime.js';

type AgentBuild = BuildResult<{ write: false; metafile: true }>;

function build(scope: IConstruct, entry: string, path: string): AgentBuild {
  const { buildSync } = loadBundler(scope, entry, path);
  try {
    return buildSync({
      stdin: {
        contents: `export { default } from ${JSON.stringify(`./${basename(path)}`)};`,
        resolveDir: dirname(path),
        sourcefile: 'agent-entry.js',
        // As TypeScript it would be taken for the re-export of a type, which may be missing.
        loader: 'js',
      },
      alias: { 'cdk-agent-lanes/runtime': RUNTIME_FILE },
      external: [RUNTIME_FILE],
      bundle: true,
      minify: true,
      // Names of classes appear in logs and in errors' `name`.
      keepNames: true,
      legalComments: 'none',
      sourcemap: false,
      platform: 'node',
      // The oldest runtime that a worker may choose.
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

/**
 * The bundler of the user's project, as a peer dependency that only apps with an `entry` need. Looked for beside the entry,
 * then in the folder that the app is run in, then beside this library. Loaded at the first entry: an app whose workers come
 * bundled need not have it.
 */
function loadBundler(scope: IConstruct, entry: string, path: string): typeof import('esbuild') {
  let bundler: string;
  try {
    bundler = require.resolve('esbuild', { paths: [dirname(path), process.cwd(), __dirname] });
  } catch {
    throw laneError(
      scope,
      'MissingBundler',
      `worker entry "${entry}" cannot be bundled: esbuild is not installed; run "npm install --save-dev esbuild", or bundle the worker yourself and pass it as code`,
    );
  }
  return require(bundler) as typeof import('esbuild');
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
