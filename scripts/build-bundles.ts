import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, brotliDecompress, constants } from 'node:zlib';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import { packArchive } from '../lib/common/function-archive';

const ROOT = join(__dirname, '..');

/** A Lambda function of the library, or the program that runs handlers in the rehearsal. */
export interface BundleEntry {
  /** Folder below `assets/`. */
  readonly name: string;
  /** Source file, relative to the package. */
  readonly entry: string;
}

/** Functions of the library that run in AWS: folders of `lambda/functions/`. */
export const FUNCTIONS: readonly BundleEntry[] = [
  'router',
  'api',
  'preflight',
  'evidence',
  'recorder',
  'rollout-check',
  'webhook',
  'redrive',
  'rotation',
].map((name) => ({ name, entry: `lambda/functions/${name}/index.ts` }));

const BOOTSTRAP: BundleEntry = { name: 'rehearsal-bootstrap', entry: 'rehearsal/services/lambda/bootstrap.ts' };

/** Modules of `lambda/runtime/model/` that the worker loads on demand: a file each. */
export const PROVIDERS = ['anthropic', 'openai', 'bedrock'] as const;

const WORKER = 'lambda/functions/worker';

/** Files of the worker that are shipped as they are. `index.js` is what the image beside an agent's container runs. */
const WORKER_FILES: Readonly<Record<string, string>> = {
  Dockerfile: `${WORKER}/Dockerfile`,
  'index.js': `${WORKER}/programs/sidecar.js`,
  'container.js': `${WORKER}/programs/container.js`,
  'lambda.js': `${WORKER}/programs/lambda.js`,
  'runtime.js': `${WORKER}/programs/runtime.js`,
};

/** Each takes the place of the SDK's chain of credential providers, which is a third of a bundle. */
const FUNCTION_CREDENTIALS = join(ROOT, 'lambda/shared/aws/lambda-credentials.ts');
const WORKER_CREDENTIALS = join(ROOT, 'lambda/shared/aws/container-credentials.ts');

/** CommonJS with the AWS SDK included, so that a function runs what was tested and not what its runtime happens to carry. */
const COMMON: BuildOptions = {
  bundle: true,
  platform: 'node',
  // A function's runtime is the library's choice.
  target: 'node24',
  format: 'cjs',
  // The ES modules of a package are what esbuild can take unused exports out of.
  mainFields: ['module', 'main'],
  conditions: ['node', 'import', 'module'],
  // All that the SDK loads on demand is in the bundle, beside it, or part of Node.js: no module loader is needed for it.
  supported: { 'dynamic-import': false },
  minify: true,
  legalComments: 'none',
  charset: 'utf8',
  sourcemap: 'external',
  sourcesContent: false,
  logLevel: 'error',
};

export interface BuildBundlesOptions {
  /** Folder of the package. @default the package that this script belongs to */
  readonly root?: string;
  /** @default all functions of the library */
  readonly functions?: readonly BundleEntry[];
}

/**
 * Bundles each function to `assets/<name>/index.js`, for tests and benchmarks, and all of them into the archive
 * `assets/functions.br`, which is what the package carries: the functions share most of the SDK, so together they compress
 * to a third of what they compress to one by one.
 *
 * Source maps go to `assets-maps/<name>/`: inside an asset they would be uploaded, and would change its hash with every
 * comment. The same source gives the same bytes wherever the package is. A file is replaced by one rename, and only when
 * it differs, so that a build never disturbs a process that reads the bundles at that moment.
 *
 * @throws Error naming the entries that do not exist
 */
export async function buildBundles({ root = ROOT, functions = FUNCTIONS }: BuildBundlesOptions = {}): Promise<void> {
  const missing = functions.map(({ entry }) => entry).filter((file) => !existsSync(join(root, file)));
  if (missing.length > 0) {
    throw new Error(
      `cannot bundle: no such file below ${root}: ${missing.join(', ')}; restore it, or remove it from FUNCTIONS`,
    );
  }
  const bundles = new Map<string, Uint8Array>();
  for (const { name, entry } of functions) {
    bundles.set(name, await bundle(root, entry, join(name, 'index.js')));
  }
  await writeArchive(join(root, 'assets', 'functions.br'), packArchive(bundles));
}

/** Bundles the worker and its providers to `assets/worker/`, and the rehearsal's bootstrap. */
export async function buildWorker(root: string = ROOT): Promise<void> {
  await bundle(root, BOOTSTRAP.entry, join(BOOTSTRAP.name, 'index.js'));
  // The oldest runtime that a worker may choose.
  const target = 'node22';
  await bundle(root, `${WORKER}/core.ts`, 'worker/core.js', {
    target,
    alias: credentials(WORKER_CREDENTIALS),
    plugins: [providersBeside()],
  });
  for (const provider of PROVIDERS) {
    const entry = `lambda/runtime/model/${provider}.ts`;
    await bundle(root, entry, `worker/${provider}.js`, { target, alias: {}, plugins: [restFromCore()] });
  }
  for (const [name, source] of Object.entries(WORKER_FILES)) {
    await replaceFile(join(root, 'assets/worker', name), await readFile(join(root, source)));
  }
}

function credentials(file: string): Record<string, string> {
  return { '@aws-sdk/credential-provider-node': file };
}

/** @returns what was written to `assets/` */
async function bundle(root: string, entry: string, output: string, options: BuildOptions = {}): Promise<Uint8Array> {
  const { outputFiles = [] } = await build({
    ...COMMON,
    alias: credentials(FUNCTION_CREDENTIALS),
    ...options,
    absWorkingDir: root,
    entryPoints: [entry],
    outfile: join(root, 'assets', output),
    write: false,
  });
  let code = new Uint8Array();
  for (const { path, contents } of outputFiles) {
    if (path.endsWith('.map')) {
      await replaceFile(join(root, 'assets-maps', relative(join(root, 'assets'), path)), contents);
    } else {
      code = new Uint8Array(contents);
      await replaceFile(path, contents);
    }
  }
  return code;
}

/** Leaves the providers' modules out of the core, which requires them from the folder that it is in. */
function providersBeside(): Plugin {
  return {
    name: 'providers-beside',
    setup({ onResolve }) {
      onResolve({ filter: new RegExp(`^\\./(${PROVIDERS.join('|')})$`) }, ({ path }) => ({
        path: `${path}.js`,
        external: true,
      }));
    },
  };
}

/** Takes from the core what a provider's module imports of this library, so that both have one copy of it. */
function restFromCore(): Plugin {
  return {
    name: 'rest-from-core',
    setup({ onResolve }) {
      const core = { path: './core.js', external: true };
      onResolve({ filter: /^\.\.?\// }, ({ kind, importer }) =>
        kind === 'entry-point' || importer.includes('node_modules') ? undefined : core,
      );
      onResolve({ filter: /^@aws-sdk\/credential-provider-node$/ }, () => core);
    },
  };
}

const compress = promisify(brotliCompress);
const decompress = promisify(brotliDecompress);

/** Higher ones save another tenth and take ten times as long. */
const COMPRESSION = 9;

/** An archive that holds the same bundles is kept. */
async function writeArchive(path: string, archive: Uint8Array): Promise<void> {
  const present = await readFile(path).catch(() => undefined);
  if (present !== undefined && (await decompress(present)).equals(archive)) {
    return;
  }
  const compressed = await compress(archive, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: COMPRESSION,
      [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
      [constants.BROTLI_PARAM_SIZE_HINT]: archive.length,
    },
  });
  await replaceFile(path, compressed);
}

/** Writes the file in one step, unless it has the content already. */
async function replaceFile(path: string, contents: Uint8Array): Promise<void> {
  const present = await readFile(path).catch(() => undefined);
  if (present?.equals(contents)) {
    return;
  }
  await mkdir(dirname(path), { recursive: true });
  const draft = join(dirname(dirname(path)), `.${randomUUID()}.tmp`);
  try {
    await writeFile(draft, contents);
    await rename(draft, path);
  } finally {
    await rm(draft, { force: true });
  }
}

if (require.main === module) {
  Promise.all([buildBundles(), buildWorker()]).catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  });
}
