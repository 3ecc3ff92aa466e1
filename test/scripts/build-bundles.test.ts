import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { unpackArchive } from '../../lib/common/function-archive';
import { buildBundles, FUNCTIONS, PROVIDERS } from '../../scripts/build-bundles';

const ROOT = join(__dirname, '../..');
const roots: string[] = [];

/** A package with one function, in a folder of its own. */
function project(
  source = "import { word } from './word';\n/** ResolvedEnvironment it. */\nexport const handler = async () => word;\n",
): string {
  const root = mkdtempSync(join(tmpdir(), 'bundles-'));
  roots.push(root);
  mkdirSync(join(root, 'lambda/one'), { recursive: true });
  writeFileSync(join(root, 'lambda/one/index.ts'), source);
  writeFileSync(
    join(root, 'lambda/one/word.ts'),
    "export const word: string = 'grüezi';\nexport const unused = 'nothing';\n",
  );
  return root;
}
const functions = [{ name: 'one', entry: 'lambda/one/index.ts' }];

afterAll(() => {
  for (const root of roots) {
    rmSync(root, { recursive: true });
  }
});

test('a bundle runs, carries what it needs and no more, and has its map elsewhere', async () => {
  const root = project();
  await buildBundles({ root, functions });
  const file = join(root, 'assets/one/index.js');
  await expect(require(file).handler()).resolves.toBe('grüezi');
  const text = readFileSync(file, 'utf8');
  expect(text).not.toContain('nothing');
  expect(text).not.toContain('sourceMappingURL');
  expect(existsSync(join(root, 'assets-maps/one/index.js.map'))).toBe(true);
  expect(existsSync(join(root, 'assets/one/index.js.map'))).toBe(false);
});

test('the same source gives the same bytes wherever it lies, whatever its comments say', async () => {
  const here = project();
  const there = project(
    "// Another comment.\nimport { word } from './word';\nexport const handler = async () => word;\n",
  );
  await buildBundles({ root: here, functions });
  await buildBundles({ root: there, functions });
  const bundle = (root: string) => readFileSync(join(root, 'assets/one/index.js'), 'utf8');
  expect(bundle(here)).toBe(bundle(there));
  expect(bundle(here)).not.toContain(here);
});

test('a bundle that is up to date is left alone; a stale one is replaced', async () => {
  const root = project();
  await buildBundles({ root, functions });
  const file = join(root, 'assets/one/index.js');
  utimesSync(file, 1, 1);
  await buildBundles({ root, functions });
  expect(statSync(file).mtimeMs).toBe(1_000);
  writeFileSync(join(root, 'lambda/one/word.ts'), "export const word = 'salü';\n");
  await buildBundles({ root, functions });
  expect(readFileSync(file, 'utf8')).toContain('salü');
});

test('fails naming every entry that is missing, before anything is built', async () => {
  const root = project();
  const missing = ['two', 'three'].map((name) => ({ name, entry: `lambda/${name}/index.ts` }));
  await expect(buildBundles({ root, functions: [...functions, ...missing] })).rejects.toThrow(
    'lambda/two/index.ts, lambda/three/index.ts',
  );
  expect(existsSync(join(root, 'assets'))).toBe(false);
});

test('fails for source that is broken', async () => {
  await expect(buildBundles({ root: project('export const handler = ('), functions })).rejects.toThrow(
    'lambda/one/index.ts',
  );
});

test('the archive holds every function, and is kept as long as the functions do not change', async () => {
  const root = project();
  await buildBundles({ root, functions });
  const file = join(root, 'assets/functions.br');
  const archive = () => unpackArchive(brotliDecompressSync(readFileSync(file)));
  expect([...archive().keys()]).toEqual(['one']);
  expect(archive().get('one')).toEqual(readFileSync(join(root, 'assets/one/index.js')));
  utimesSync(file, 1, 1);
  await buildBundles({ root, functions });
  expect(statSync(file).mtimeMs).toBe(1_000);
  writeFileSync(join(root, 'lambda/one/word.ts'), "export const word = 'salü';\n");
  await buildBundles({ root, functions });
  expect(Buffer.from(archive().get('one') ?? []).toString()).toContain('salü');
});

const WORKER = join(ROOT, 'assets/worker');

test("the worker's image is the worker and its providers, run by a user who is not root", () => {
  expect(readdirSync(WORKER).sort()).toEqual(
    [
      'Dockerfile',
      ...['index', 'container', 'lambda', 'runtime', 'core', ...PROVIDERS].map((name) => `${name}.js`),
    ].sort(),
  );
  const dockerfile = readFileSync(join(WORKER, 'Dockerfile'), 'utf8');
  expect(dockerfile).toMatch(/^ARG BASE_IMAGE=public\.ecr\.aws\/docker\/library\/node:24-slim$/m);
  expect(dockerfile).toMatch(/^USER node$/m);
  // In exec form: a shell in between would keep SIGTERM to itself.
  expect(dockerfile.trimEnd().split('\n').at(-1)).toBe('CMD ["node", "index.js"]');
  expect(dockerfile).toMatch(/^COPY \*\.js \.\/$/m);
});

test('the worker asks ECS or the environment for credentials, and carries no other provider of them', () => {
  const core = readFileSync(join(WORKER, 'core.js'), 'utf8');
  expect(core).toContain('AWS_CONTAINER_CREDENTIALS_RELATIVE_URI');
  expect(core).not.toContain('AWS_WEB_IDENTITY_TOKEN_FILE');
  expect(core).not.toContain('sourceMappingURL');
  expect(statSync(join(WORKER, 'core.js')).size).toBeLessThan(850_000);
});

test("the worker's core carries the client of no model provider", () => {
  const core = readFileSync(join(WORKER, 'core.js'), 'utf8');
  expect(core).not.toContain('api.anthropic.com');
  expect(core).not.toContain('api.openai.com');
  expect(core).not.toContain('ConverseCommand');
});

test.each(PROVIDERS)('the module of the provider %s shares one copy of the library with the core', (name) => {
  // In a process of its own: outside of Jest's module registry, and with an endpoint that refuses every connection.
  const script = `
    const core = require('./core.js');
    const found = Object.values(require('./${name}.js'))[0];
    const provider = typeof found === 'function' ? new found() : found;
    const model = { provider: '${name}', id: 'm', maxTokens: 1, timeoutMs: 2000 };
    provider.generate({ model, apiKey: 'k', prompt: 'p', maxTokens: 1, signal: AbortSignal.timeout(5000) }).catch((error) => {
      console.log(JSON.stringify({ shared: error instanceof core.ProviderError, status: error.status }));
    });`;
  const nowhere = 'http://127.0.0.1:1';
  const { stdout } = spawnSync(process.execPath, ['-e', script], {
    cwd: WORKER,
    encoding: 'utf8',
    env: {
      ANTHROPIC_BASE_URL: nowhere,
      OPENAI_BASE_URL: nowhere,
      AWS_ENDPOINT_URL_BEDROCK_RUNTIME: nowhere,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'k',
      AWS_SECRET_ACCESS_KEY: 's',
    },
  });
  expect(JSON.parse(stdout)).toEqual({ shared: true, status: 'connection' });
  const required = [...readFileSync(join(WORKER, `${name}.js`), 'utf8').matchAll(/\brequire\("(\.[^"]*)"\)/g)];
  expect(new Set(required.map((match) => match[1]))).toEqual(new Set(['./core.js']));
});

test.each(FUNCTIONS)('the bundle $name is a Lambda function', ({ name }) => {
  const file = join(ROOT, 'assets', name, 'index.js');
  expect(require(file)).toMatchObject({ handler: expect.any(Function) });
  // What is loaded at each cold start: grows only on purpose.
  expect(statSync(file).size).toBeLessThan(900_000);
});
