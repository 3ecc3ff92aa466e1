/**
 * Compiles lib/ with jsii in a folder of its own, so that a union, a generic or another thing that jsii cannot carry to
 * other languages never enters the public API.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface PackageJson {
  readonly version: string;
  readonly description: string;
  readonly license: string;
  readonly dependencies: Record<string, string>;
  readonly devDependencies: Record<string, string>;
  readonly peerDependencies: Record<string, string>;
}

/** Packages that lib/ imports but does not show in its API. */
const BUNDLED = ['esbuild', 'zod'];

function main(): number {
  const root = join(__dirname, '..');
  const folder = mkdtempSync(join(tmpdir(), 'cdk-agent-lanes-jsii-'));
  try {
    const own = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as PackageJson;
    cpSync(join(root, 'lib'), join(folder, 'lib'), { recursive: true });
    cpSync(join(root, 'README.md'), join(folder, 'README.md'));
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    writeFileSync(
      join(folder, 'package.json'),
      JSON.stringify({
        name: 'cdk-agent-lanes',
        version: own.version,
        description: own.description,
        license: own.license,
        author: { name: 'The cdk-agent-lanes authors', organization: true },
        repository: { type: 'git', url: 'https://example.com/cdk-agent-lanes.git' },
        main: 'lib/index.js',
        types: 'lib/index.d.ts',
        stability: 'experimental',
        jsii: { outdir: 'dist', targets: {}, excludeTypescript: ['node_modules'] },
        dependencies: Object.fromEntries(
          BUNDLED.map((name) => [name, own.dependencies[name] ?? own.devDependencies[name]]),
        ),
        bundleDependencies: BUNDLED,
        devDependencies: own.devDependencies,
        peerDependencies: Object.fromEntries(
          Object.entries(own.peerDependencies).filter(([name]) => !BUNDLED.includes(name)),
        ),
      }),
    );
    const jsii = join(root, 'node_modules', '.bin', 'jsii');
    const run = spawnSync(jsii, ['.', '--silence-warnings', 'reserved-word'], { cwd: folder, encoding: 'utf8' });
    process.stdout.write(run.stdout);
    process.stderr.write(run.stderr.replace(/^!!.*\n/gm, ''));
    if (run.status === 0) {
      console.log('jsii: the public API of lib/ is clean');
    }
    return run.status ?? 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

process.exitCode = main();
