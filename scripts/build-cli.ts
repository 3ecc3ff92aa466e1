/**
 * Builds the package of the command line from `bin/` and `rehearsal/`: one CommonJS file in `cli/dist`, in which a module is
 * evaluated when a command requires it, and what the rehearsal needs beside it. Dependencies stay outside, and each must be
 * declared in cli/package.json.
 */
import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Metafile } from 'esbuild';

const ROOT = join(__dirname, '..');
const CLI = join(ROOT, 'cli');

async function buildCli(): Promise<void> {
  rmSync(join(CLI, 'dist'), { recursive: true, force: true });
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ['bin/cdk-agent-lanes.ts'],
    outfile: join(CLI, 'dist', 'cli.js'),
    bundle: true,
    packages: 'external',
    platform: 'node',
    target: 'node22',
    format: 'cjs',
    // Stack traces and `--keep` files name functions; the gain of shorter names is small.
    minifySyntax: true,
    minifyWhitespace: true,
    keepNames: true,
    legalComments: 'none',
    charset: 'utf8',
    metafile: true,
    logLevel: 'error',
  });
  refuseUndeclared(metafile);
  copyFileSync(join(ROOT, 'assets/rehearsal-bootstrap/index.js'), join(CLI, 'dist', 'bootstrap.js'));
  copyFileSync(join(ROOT, 'rehearsal/scenario.schema.json'), join(CLI, 'dist', 'scenario.schema.json'));
  mkdirSync(join(CLI, 'dist', 'docs'), { recursive: true });
  cpSync(join(ROOT, 'docs/rehearsal.md'), join(CLI, 'dist', 'docs', 'rehearsal.md'));
  copyFileSync(join(ROOT, 'LICENSE'), join(CLI, 'LICENSE'));
}

/** @throws Error naming the packages that the file requires and cli/package.json does not declare */
function refuseUndeclared({ inputs }: Metafile): void {
  const { dependencies } = JSON.parse(readFileSync(join(CLI, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const required = Object.values(inputs)
    .flatMap(({ imports }) => imports)
    .filter(({ external, path }) => external === true && /^(?!node:)[@a-z]/.test(path))
    .map(({ path }) => path.split('/', path.startsWith('@') ? 2 : 1).join('/'));
  const undeclared = [...new Set(required)].filter((name) => dependencies[name] === undefined);
  if (undeclared.length > 0) {
    throw new Error(
      `cli/package.json does not declare ${undeclared.join(', ')}: add them to its dependencies, or import them no more`,
    );
  }
}

buildCli().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
