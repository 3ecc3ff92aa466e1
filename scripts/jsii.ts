/**
 * Compiles lib/ with jsii in a folder of its own, so that a union, a generic or another thing that jsii cannot carry to
 * other languages never enters the public API: `npm run jsii`. With `--wheel FOLDER` it also builds the Python wheel of the
 * module into that folder, which takes Python with venv and pip.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const ROOT = join(__dirname, '..');

interface PackageJson {
  readonly [key: string]: unknown;
  readonly dependencies: Record<string, string>;
  readonly devDependencies: Record<string, string>;
  readonly peerDependencies: Record<string, string>;
}

/** Packages that lib/ imports but does not show in its API. They are put into the module. */
const BUNDLED = ['zod'];

/** What jsii compiles against. */
const LINKED = ['aws-cdk-lib', 'constructs', '@types/node', 'esbuild', 'typescript'];

/** Members of package.json that jsii asks for. */
function jsiiPackage(): Record<string, unknown> {
  const own = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as PackageJson;
  const taken = Object.fromEntries(
    ['name', 'version', 'description', 'license', 'homepage', 'repository', 'bugs'].map((key) => [key, own[key]]),
  );
  // The bundler is a peer of apps that have an entry. jsii knows no optional peers.
  const { esbuild: _, ...peerDependencies } = own.peerDependencies;
  return {
    ...taken,
    author: { name: own.author, organization: true },
    main: 'lib/index.js',
    types: 'lib/index.d.ts',
    stability: 'experimental',
    files: ['lib/**/*.js', 'lib/**/*.d.ts', 'assets', '.jsii'],
    jsii: {
      outdir: 'dist',
      targets: { python: { distName: 'cdk-agent-lanes', module: 'cdk_agent_lanes' } },
      excludeTypescript: ['node_modules'],
    },
    dependencies: Object.fromEntries(BUNDLED.map((name) => [name, own.dependencies[name]])),
    bundleDependencies: BUNDLED,
    devDependencies: Object.fromEntries(LINKED.map((name) => [name, own.devDependencies[name]])),
    peerDependencies,
  };
}

/** Lays the module out as jsii wants it, with the bundles of this package beside the constructs. */
function layOut(folder: string): void {
  cpSync(join(ROOT, 'lib'), join(folder, 'lib'), { recursive: true });
  for (const file of ['README.md', 'LICENSE']) {
    cpSync(join(ROOT, file), join(folder, file));
  }
  mkdirSync(join(folder, 'assets'));
  cpSync(join(ROOT, 'assets', 'functions.br'), join(folder, 'assets', 'functions.br'));
  cpSync(join(ROOT, 'assets', 'worker'), join(folder, 'assets', 'worker'), { recursive: true });
  for (const name of [...LINKED, ...BUNDLED]) {
    const target = join(folder, 'node_modules', name);
    mkdirSync(dirname(target), { recursive: true });
    // What is bundled has to be in the folder itself for npm to pack it.
    if (BUNDLED.includes(name)) {
      cpSync(join(ROOT, 'node_modules', name), target, { recursive: true });
    } else {
      symlinkSync(join(ROOT, 'node_modules', name), target);
    }
  }
  writeFileSync(join(folder, 'package.json'), JSON.stringify(jsiiPackage(), null, 2));
}

/** @returns whether it succeeded */
function run(program: string, args: readonly string[], folder: string): boolean {
  const { status, stdout, stderr, error } = spawnSync(join(ROOT, 'node_modules', '.bin', program), args, {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  process.stdout.write(stdout ?? '');
  process.stderr.write((stderr ?? '').replace(/^!!.*\n/gm, ''));
  if (error !== undefined) {
    throw error;
  }
  return status === 0;
}

function main(): number {
  const { values } = parseArgs({ options: { wheel: { type: 'string' } } });
  const folder = mkdtempSync(join(tmpdir(), 'cdk-agent-lanes-jsii-'));
  try {
    layOut(folder);
    if (!run('jsii', ['.', '--silence-warnings', 'reserved-word'], folder)) {
      return 1;
    }
    console.log('jsii: the public API of lib/ can be carried to other languages');
    if (values.wheel === undefined) {
      return 0;
    }
    if (!run('jsii-pacmak', ['--targets', 'python', '--outdir', join(folder, 'dist')], folder)) {
      return 1;
    }
    const built = join(folder, 'dist', 'python');
    const output = resolve(values.wheel);
    mkdirSync(output, { recursive: true });
    for (const name of readdirSync(built).filter((each) => each.endsWith('.whl'))) {
      cpSync(join(built, name), join(output, name));
      console.log(`jsii: wrote ${join(output, name)}`);
    }
    return 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

process.exitCode = main();
