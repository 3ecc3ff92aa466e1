import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { APP, TYPED_APP } from './app';
import { compile, SETTINGS } from './compile';
import { buildPackages, Installation, PACKAGES, packedFiles, ROOT } from './installation';

jest.setTimeout(180_000);

let app: Installation;

beforeAll(() => {
  buildPackages();
  app = new Installation();
  app.install('cdk-agent-lanes', { peers: ['esbuild'] });
  app.install('cdk-agent-lanes-cli');
  app.link('aws-cdk-lib', 'constructs', 'zod', '@types/node');
  app.write(APP);
  for (const type of ['commonjs', 'module']) {
    app.write({ [`${type}/package.json`]: JSON.stringify({ type }), [`${type}/app.ts`]: TYPED_APP });
  }
});

afterAll(() => app.remove());

const cli = (...args: string[]) => app.run(['cdk-agent-lanes', ...args]);

describe('the installed command line', () => {
  test('explains itself, and offers no drills, which need the repository', () => {
    const { status, stdout, stderr } = cli('--help');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain('rehearse');
    expect(stdout).not.toContain('drill');
    expect(cli('--version').stdout.trim()).toBe(
      JSON.parse(readFileSync(join(ROOT, 'cli/package.json'), 'utf8')).version,
    );
  });

  test('prints the schema of scenarios, which is in the package, too', () => {
    const { status, stdout } = cli('schema');
    expect(status).toBe(0);
    const published = join(app.directory, 'node_modules/cdk-agent-lanes-cli/dist/scenario.schema.json');
    expect(JSON.parse(stdout)).toEqual(JSON.parse(readFileSync(published, 'utf8')));
  });

  test.each([['redrive'], ['openapi'], ['rehearse']])('explains %s', (command) => {
    const { status, stdout, stderr } = cli(command, '--help');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain(`Usage: cdk-agent-lanes ${command}`);
  });

  test('prints the document of the HTTP API', () => {
    const { status, stdout } = cli('openapi');
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ openapi: '3.1.0' });
  });

  test('asks AWS for what it redrives, and says what is missing', () => {
    const { status, stderr } = app.run(['cdk-agent-lanes', 'redrive', '--function', 'none'], {
      AWS_REGION: 'us-east-1',
      AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
      AWS_ACCESS_KEY_ID: 'k',
      AWS_SECRET_ACCESS_KEY: 's',
    });
    expect(status).not.toBe(0);
    expect(stderr).not.toContain('Cannot find module');
  });

  test('rehearses the app', () => {
    const { status, stdout, stderr } = cli('rehearse', '--scenario', 'scenario.json', '--json', 'report.json');
    expect(stdout + stderr).not.toContain('Cannot find module');
    expect({ status, stderr }).toMatchObject({ status: 0 });
    const report = JSON.parse(readFileSync(join(app.directory, 'report.json'), 'utf8'));
    expect(report.tasks).toMatchObject({ failed: 0, lost: 0 });
    expect(report.tasks.succeeded).toBeGreaterThanOrEqual(30);
  });
});

describe('the installed constructs', () => {
  test('synthesize an app', () => {
    const { status, stderr } = app.run(['node', 'app.js'], { CDK_OUTDIR: 'cdk.out', CDK_VALIDATION: 'false' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const assets = readdirSync(join(app.directory, 'cdk.out')).filter((name) => name.startsWith('asset.'));
    const worker = assets.find((name) => existsSync(join(app.directory, 'cdk.out', name, 'agent.js'))) ?? '';
    expect(readdirSync(join(app.directory, 'cdk.out', worker)).sort()).toEqual([
      'agent.js',
      'anthropic.js',
      'core.js',
      'index.js',
      'runtime.js',
    ]);
  });

  test('can be imported from ES modules by name', () => {
    const script = `
      import { AgentService } from 'cdk-agent-lanes';
      import { defineAgent } from 'cdk-agent-lanes/runtime';
      import { createHandler } from 'cdk-agent-lanes/worker';
      import { runContainer } from 'cdk-agent-lanes/container';
      console.log([AgentService, defineAgent, createHandler, runContainer].map((each) => typeof each).join());`;
    const { stdout, stderr } = app.run(['node', '--input-type=module', '-e', script]);
    expect({ stdout: stdout.trim(), stderr }).toEqual({ stdout: 'function,function,function,function', stderr: '' });
  });

  test('name esbuild and how to install it when an entry is to be bundled without it', () => {
    const bare = new Installation();
    try {
      bare.install('cdk-agent-lanes');
      bare.link('aws-cdk-lib', 'constructs');
      bare.write(APP);
      const { status, stderr } = bare.run(['node', 'app.js'], { CDK_VALIDATION: 'false' });
      expect(status).toBe(1);
      expect(stderr).toContain('MissingBundler: worker entry "agent/agent.ts" cannot be bundled');
      expect(stderr).toContain('npm install --save-dev esbuild');
      // Not a dependency of the library, but of the project: the bundler is found there, too.
      bare.link('esbuild', 'zod');
      expect(bare.run(['node', 'app.js'], { CDK_VALIDATION: 'false' })).toMatchObject({ status: 0 });
    } finally {
      bare.remove();
    }
  });
});

describe.each(['commonjs', 'module'])('an app in TypeScript of type %s', (type) => {
  test.each(SETTINGS)('compiles with module resolution %s, and needs no types of zod', (_, settings) => {
    const { findings, files } = compile(app, join(type, 'app.ts'), settings);
    expect(findings).toEqual([]);
    expect(files.filter((file) => file.includes('/cdk-agent-lanes@')).length).toBeGreaterThan(50);
    expect(files.filter((file) => file.includes('/zod/'))).toEqual([]);
  });
});

test('a package finds nothing that its manifest does not declare', () => {
  const broken = new Installation();
  try {
    broken.install('cdk-agent-lanes-cli', { without: 'commander' });
    const { status, stderr } = broken.run(['cdk-agent-lanes', '--help']);
    expect(status).toBe(1);
    expect(stderr).toContain("Cannot find module 'commander'");
  } finally {
    broken.remove();
  }
});

test('the packages ship what runs and what documents it, and no by-products', () => {
  const files = Object.fromEntries(Object.entries(PACKAGES).map(([name, folder]) => [name, packedFiles(folder)]));
  const folders = (name: string) => [...new Set(files[name]?.map((file) => file.split('/')[0]))].sort();
  expect(folders('cdk-agent-lanes')).toEqual(['LICENSE', 'README.md', 'assets', 'dist', 'package.json']);
  expect(folders('cdk-agent-lanes-cli')).toEqual(['LICENSE', 'README.md', 'bin.js', 'dist', 'package.json']);
  const byProducts = Object.values(files)
    .flat()
    .filter((file) => /\.map$|tsbuildinfo|\.test\.|(?<!\.d)\.ts$/.test(file));
  expect(byProducts).toEqual([]);
});
