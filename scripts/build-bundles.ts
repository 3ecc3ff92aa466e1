import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { build } from 'esbuild';

const ROOT = join(__dirname, '..');

/**
 * One bundle: a Lambda function of the library, what the rehearsal starts in place of Lambda's own runtime, or the program
 * of a container.
 */
export interface BundleEntry {
  /** Folder below `assets/`. */
  readonly name: string;
  /** Source file, relative to the package. */
  readonly entry: string;
  /** For a container: its Dockerfile, relative to the package. It goes into the folder, which is what is built. */
  readonly dockerfile?: string;
}

/** Functions of the library that run in AWS: folders of `lambda/functions/`. */
const FUNCTIONS = [
  'router',
  'api',
  'preflight',
  'evidence',
  'recorder',
  'rollout-check',
  'webhook',
  'redrive',
  'rotation',
] as const;

export const BUNDLES: readonly BundleEntry[] = [
  ...FUNCTIONS.map((name) => ({ name, entry: `lambda/functions/${name}/index.ts` })),
  { name: 'rehearsal-bootstrap', entry: 'rehearsal/services/lambda/bootstrap.ts' },
  {
    name: 'container-worker',
    entry: 'lambda/functions/container/main.ts',
    dockerfile: 'lambda/functions/container/Dockerfile',
  },
];

/** Stand in for the SDK's chain of credential providers, which is a third of a bundle. */
const FUNCTION_CREDENTIALS = join(ROOT, 'lambda/shared/aws/lambda-credentials.ts');
const CONTAINER_CREDENTIALS = join(ROOT, 'lambda/shared/aws/container-credentials.ts');

/**
 * Bundles every entry of {@link BUNDLES} to `assets/<name>/index.js` (CommonJS, the AWS SDK included, so that a function
 * runs what was tested and not what its runtime happens to carry). Source maps go to `assets-maps/<name>/`: inside the
 * asset they would be uploaded, and would change its hash with every comment.
 *
 * The same source gives the same bytes wherever the package lies. A bundle is put in place with one rename, and only when
 * it differs, so that a build never disturbs whoever reads the bundles at that moment.
 *
 * @param root folder of the package. @default the package that this script belongs to
 * @throws Error naming the entries that do not exist
 */
export async function buildBundles(root: string = ROOT, bundles: readonly BundleEntry[] = BUNDLES): Promise<void> {
  const missing = bundles
    .flatMap(({ entry, dockerfile = entry }) => [entry, dockerfile])
    .filter((file) => !existsSync(join(root, file)));
  if (missing.length > 0) {
    const names = [...new Set(missing)].join(', ');
    throw new Error(`cannot bundle: no such file below ${root}: ${names}; restore it or take it off BUNDLES`);
  }
  for (const bundle of bundles) {
    await buildBundle(root, bundle);
  }
}

async function buildBundle(root: string, { name, entry, dockerfile }: BundleEntry): Promise<void> {
  const outfile = join(root, 'assets', name, 'index.js');
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile,
    write: false,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    // The ES modules of a package are what esbuild can take unused exports out of.
    mainFields: ['module', 'main'],
    conditions: ['node', 'import', 'module'],
    alias: {
      '@aws-sdk/credential-provider-node': dockerfile === undefined ? FUNCTION_CREDENTIALS : CONTAINER_CREDENTIALS,
    },
    // All that the SDK loads on demand is either in the bundle or part of Node: no module loader is needed to get it.
    supported: { 'dynamic-import': false },
    minify: true,
    legalComments: 'none',
    charset: 'utf8',
    sourcemap: 'external',
    sourcesContent: false,
    logLevel: 'error',
  });
  for (const { path, contents } of outputFiles) {
    const target = path.endsWith('.map') ? join(root, 'assets-maps', relative(join(root, 'assets'), path)) : path;
    await replaceFile(target, contents);
  }
  if (dockerfile !== undefined) {
    await replaceFile(join(root, 'assets', name, 'Dockerfile'), await readFile(join(root, dockerfile)));
  }
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
  buildBundles().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  });
}
