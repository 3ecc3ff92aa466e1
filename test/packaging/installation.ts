import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export const ROOT = join(__dirname, '../..');

/** Folder of each published package. */
export const PACKAGES: Readonly<Record<string, string>> = {
  'cdk-agent-lanes': ROOT,
  'cdk-agent-lanes-cli': join(ROOT, 'cli'),
};

export interface Manifest {
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly bin?: Readonly<Record<string, string>>;
}

/** What a program wrote, and how it ended. */
export interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Builds both packages from the present sources.
 *
 * @throws Error with the output of the step that failed
 */
export function buildPackages(): void {
  for (const script of ['build-types', 'build-cli']) {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['--import', 'tsx', join(ROOT, 'scripts', `${script}.ts`)],
      { cwd: ROOT, encoding: 'utf8' },
    );
    if (status !== 0) {
      throw new Error(`scripts/${script}.ts ended with ${status}:\n${stdout}${stderr}`);
    }
  }
}

/** Files that `npm pack` puts into a package, relative to it. */
export function packedFiles(folder: string): readonly string[] {
  const { stdout, stderr } = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: folder,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  const parsed: unknown = JSON.parse(stdout || 'null');
  // A list in older versions of npm, and members by name in newer ones.
  const [pack] = Object.values(parsed ?? {}) as { files: { path: string }[] }[];
  if (pack === undefined) {
    throw new Error(`npm pack in ${folder} printed no list of files: ${stderr}`);
  }
  return pack.files.map(({ path }) => path);
}

/**
 * An app outside of the repository with both packages installed as pnpm installs them: a package finds what its manifest
 * declares and nothing else. Third-party packages are links to those of the repository, so that no registry is asked.
 */
export class Installation {
  readonly directory = mkdtempSync(join(tmpdir(), 'cdk-agent-lanes-app-'));
  readonly #modules = join(this.directory, 'node_modules');

  constructor() {
    writeFileSync(join(this.directory, 'package.json'), '{ "name": "an-app", "private": true }\n');
  }

  /**
   * Installs a package of this repository with what it declares.
   *
   * @param peers optional peers that the app has
   * @param without a declared dependency that is left out
   */
  install(name: string, { peers = [], without }: { peers?: readonly string[]; without?: string } = {}): void {
    const source = PACKAGES[name] ?? '';
    const manifest = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as Manifest;
    const store = join(this.#modules, '.store', `${name}@${manifest.version}`, 'node_modules');
    for (const file of packedFiles(source)) {
      mkdirSync(dirname(join(store, name, file)), { recursive: true });
      cpSync(join(source, file), join(store, name, file));
    }
    const declared = [
      ...Object.keys(manifest.dependencies ?? {}),
      ...Object.keys(manifest.peerDependencies ?? {}).filter((peer) => peer !== 'esbuild' || peers.includes(peer)),
    ];
    for (const dependency of declared.filter((each) => each !== without)) {
      link(dependency, store);
    }
    symlinkSync(join(store, name), join(this.#modules, name));
    for (const [command, file] of Object.entries(manifest.bin ?? {})) {
      mkdirSync(join(this.#modules, '.bin'), { recursive: true });
      symlinkSync(join(this.#modules, name, file), join(this.#modules, '.bin', command));
    }
  }

  /** Makes third-party packages dependencies of the app itself. */
  link(...names: readonly string[]): void {
    for (const name of names) {
      link(name, this.#modules);
    }
  }

  write(files: Readonly<Record<string, string>>): void {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(this.directory, path)), { recursive: true });
      writeFileSync(join(this.directory, path), content);
    }
  }

  /** Runs a program in the app's folder, with no environment of the tests. */
  run(command: readonly string[], environment: Readonly<Record<string, string>> = {}): Run {
    const [program = '', ...args] = command;
    return spawnSync(program, args, {
      cwd: this.directory,
      encoding: 'utf8',
      env: {
        PATH: [join(this.#modules, '.bin'), dirname(process.execPath), process.env.PATH].join(':'),
        HOME: this.directory,
        ...environment,
      },
      timeout: 120_000,
    });
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function link(name: string, modules: string): void {
  const target = join(ROOT, 'node_modules', name);
  if (!existsSync(target)) {
    throw new Error(`${name} is declared but not installed in the repository: run npm ci`);
  }
  mkdirSync(dirname(join(modules, name)), { recursive: true });
  symlinkSync(target, join(modules, name));
}
