/** What the packages weigh, installed into an empty CDK app: `npx tsx bench/install.ts` prints this part alone. */
import { spawnSync } from 'node:child_process';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(__dirname, '..');

/** What the constructs may weigh. */
const MAX_UNPACKED_MB = 3;
const MAX_PACKAGES = 25;

/** One of the packages of this repository. */
export interface InstallFigures {
  readonly name: string;
  /** Of the package itself. */
  readonly unpackedMegabytes: number;
  readonly files: number;
  /** What its installation adds to the app, itself included. */
  readonly packagesAdded: number;
  readonly megabytesAdded: number;
}

/**
 * Packs both packages as they are built, and installs one after the other into a CDK app that has aws-cdk-lib and
 * constructs.
 *
 * @throws Error when npm fails, as without a registry
 */
export function installFigures(): readonly InstallFigures[] {
  const folder = mkdtempSync(join(tmpdir(), 'agent-lanes-install-'));
  try {
    const { devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      devDependencies: Record<string, string>;
    };
    const peers = Object.fromEntries(['aws-cdk-lib', 'constructs'].map((name) => [name, devDependencies[name]]));
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'app', private: true, dependencies: peers }));
    npm(folder, 'install');
    let before = weigh(folder);
    return [ROOT, join(ROOT, 'cli')].map((source): InstallFigures => {
      const { name, unpackedSize, entryCount, filename } = pack(source, folder);
      npm(folder, 'install', `./${filename}`);
      const after = weigh(folder);
      const added = {
        packagesAdded: after.packages - before.packages,
        megabytesAdded: after.megabytes - before.megabytes,
      };
      before = after;
      return { name, unpackedMegabytes: unpackedSize / 1e6, files: entryCount, ...added };
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One line for each package. */
export function installLines(figures: readonly InstallFigures[]): readonly string[] {
  return figures.map(({ name, unpackedMegabytes, files, packagesAdded, megabytesAdded }, index) => {
    const missed = index === 0 && (unpackedMegabytes > MAX_UNPACKED_MB || packagesAdded > MAX_PACKAGES);
    const target =
      index === 0 ? `  target ≤ ${MAX_UNPACKED_MB} MB, ${MAX_PACKAGES} packages${missed ? '  MISSED' : ''}` : '';
    return `${`install ${name}`.padEnd(28)}  ${unpackedMegabytes.toFixed(2)} MB unpacked, ${files} files; adds ${packagesAdded} packages, ${megabytesAdded.toFixed(1)} MB${target}`;
  });
}

interface Pack {
  readonly name: string;
  readonly filename: string;
  readonly unpackedSize: number;
  readonly entryCount: number;
}

function pack(source: string, folder: string): Pack {
  const output = npm(source, 'pack', '--json', '--ignore-scripts', '--pack-destination', folder);
  const [found] = Object.values(JSON.parse(output) as Record<string, Pack>);
  if (found === undefined) {
    throw new Error(`npm pack in ${source} named no package`);
  }
  return found;
}

function npm(cwd: string, ...args: readonly string[]): string {
  const options = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status, stdout, stderr } = spawnSync('npm', [...args, ...options], { cwd, encoding: 'utf8' });
  if (status !== 0) {
    throw new Error(`npm ${args.join(' ')} in ${cwd} failed: ${stderr}`);
  }
  return stdout;
}

function weigh(app: string): { readonly packages: number; readonly megabytes: number } {
  const lock = JSON.parse(readFileSync(join(app, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, unknown>;
  };
  const packages = Object.keys(lock.packages).filter((path) => path !== '').length;
  return { packages, megabytes: bytesIn(join(app, 'node_modules')) / 1e6 };
}

function bytesIn(folder: string): number {
  return readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
    const path = join(folder, entry.name);
    return sum + (entry.isDirectory() ? bytesIn(path) : lstatSync(path).size);
  }, 0);
}

if (require.main === module) {
  for (const line of installLines(installFigures())) {
    console.log(line);
  }
}
