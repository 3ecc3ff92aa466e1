import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { APP } from '../app';
import { buildPackages, type Manifest, PACKAGES, ROOT, type Run } from '../installation';

jest.setTimeout(600_000);

const { peerDependencies = {}, devDependencies = {} } = JSON.parse(
  readFileSync(join(ROOT, 'package.json'), 'utf8'),
) as Manifest & { readonly devDependencies?: Readonly<Record<string, string>> };

/** Oldest version of the CDK that the package allows. */
const LOWEST_CDK = (peerDependencies['aws-cdk-lib'] ?? '').replace(/^\D+/, '');

const folders: string[] = [];
let tarballs: readonly string[];

function run(cwd: string, program: string, ...args: readonly string[]): Run {
  return spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}`, CDK_VALIDATION: 'false' },
    timeout: 300_000,
  });
}

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'cdk-agent-lanes-registry-'));
  folders.push(made);
  return made;
}

const online = run(ROOT, 'npm', 'view', 'constructs', 'version').status === 0;
if (!online) {
  console.warn('no package registry answers: installations from it are skipped');
}

beforeAll(() => {
  if (!online) {
    return;
  }
  buildPackages();
  const packs = folder();
  for (const source of Object.values(PACKAGES)) {
    run(source, 'npm', 'pack', '--ignore-scripts', '--pack-destination', packs);
  }
  tarballs = readdirSync(packs).map((name) => join(packs, name));
});

afterAll(() => {
  for (const each of folders) {
    rmSync(each, { recursive: true, force: true });
  }
});

const INSTALL: Readonly<Record<string, readonly string[]>> = {
  npm: ['npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'],
  pnpm: ['npx', '--yes', 'pnpm@10', 'install', '--prefer-offline', '--ignore-scripts'],
};

(online ? test : test.skip).each([
  ['npm', 'the newest CDK', devDependencies['aws-cdk-lib'] ?? ''],
  ['npm', 'the oldest CDK', LOWEST_CDK],
  ['pnpm', 'the newest CDK', devDependencies['aws-cdk-lib'] ?? ''],
])('installed by %s beside %s, the packages synthesize and rehearse an app', (client, _, cdk) => {
  const app = folder();
  const file = (name: RegExp) => `file:${tarballs.find((tarball) => name.test(tarball))}`;
  for (const [path, content] of Object.entries(APP)) {
    mkdirSync(dirname(join(app, path)), { recursive: true });
    writeFileSync(join(app, path), content);
  }
  const manifest = {
    name: 'an-app',
    private: true,
    dependencies: {
      'aws-cdk-lib': cdk,
      constructs: devDependencies.constructs,
      zod: '^4.0.0',
      'cdk-agent-lanes': file(/cdk-agent-lanes-\d/),
    },
    devDependencies: { 'cdk-agent-lanes-cli': file(/cdk-agent-lanes-cli-/), esbuild: devDependencies.esbuild },
  };
  writeFileSync(join(app, 'package.json'), JSON.stringify(manifest));
  const [program = '', ...args] = INSTALL[client] ?? [];
  expect(run(app, program, ...args)).toMatchObject({ status: 0 });
  const installed = JSON.parse(readFileSync(join(app, 'node_modules/aws-cdk-lib/package.json'), 'utf8')) as Manifest;
  expect(installed.version >= LOWEST_CDK).toBe(true);

  expect(run(app, 'node', 'app.js')).toMatchObject({ status: 0 });
  const command = join(app, 'node_modules/.bin/cdk-agent-lanes');
  expect(existsSync(command)).toBe(true);
  expect(run(app, command, '--help')).toMatchObject({ status: 0, stderr: '' });
  expect(run(app, command, 'rehearse', '--scenario', 'scenario.json')).toMatchObject({ status: 0 });
});
