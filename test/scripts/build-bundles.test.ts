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
import { BUNDLES, buildBundles } from '../../scripts/build-bundles';

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
const bundles = [{ name: 'one', entry: 'lambda/one/index.ts' }];

afterAll(() => {
  for (const root of roots) {
    rmSync(root, { recursive: true });
  }
});

test('a bundle runs, carries what it needs and no more, and has its map elsewhere', async () => {
  const root = project();
  await buildBundles(root, bundles);
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
  await buildBundles(here, bundles);
  await buildBundles(there, bundles);
  const bundle = (root: string) => readFileSync(join(root, 'assets/one/index.js'), 'utf8');
  expect(bundle(here)).toBe(bundle(there));
  expect(bundle(here)).not.toContain(here);
});

test('a bundle that is up to date is left alone; a stale one is replaced', async () => {
  const root = project();
  await buildBundles(root, bundles);
  const file = join(root, 'assets/one/index.js');
  utimesSync(file, 1, 1);
  await buildBundles(root, bundles);
  expect(statSync(file).mtimeMs).toBe(1_000);
  writeFileSync(join(root, 'lambda/one/word.ts'), "export const word = 'salü';\n");
  await buildBundles(root, bundles);
  expect(readFileSync(file, 'utf8')).toContain('salü');
});

test('fails naming every entry that is missing, before anything is built', async () => {
  const root = project();
  const missing = ['two', 'three'].map((name) => ({ name, entry: `lambda/${name}/index.ts` }));
  await expect(buildBundles(root, [...bundles, ...missing])).rejects.toThrow(
    'lambda/two/index.ts, lambda/three/index.ts',
  );
  expect(existsSync(join(root, 'assets'))).toBe(false);
});

test('fails for source that is broken', async () => {
  await expect(buildBundles(project('export const handler = ('), bundles)).rejects.toThrow('lambda/one/index.ts');
});

test('a container gets its Dockerfile beside its program, and nothing else', async () => {
  const root = project();
  writeFileSync(join(root, 'Dockerfile'), 'FROM scratch\nCOPY index.js ./\n');
  await buildBundles(root, [{ name: 'box', entry: 'lambda/one/index.ts', dockerfile: 'Dockerfile' }]);
  expect(readdirSync(join(root, 'assets/box')).sort()).toEqual(['Dockerfile', 'index.js']);
  expect(readFileSync(join(root, 'assets/box/Dockerfile'), 'utf8')).toBe('FROM scratch\nCOPY index.js ./\n');
  await expect(
    buildBundles(root, [{ name: 'box', entry: 'lambda/one/index.ts', dockerfile: 'none/Dockerfile' }]),
  ).rejects.toThrow('none/Dockerfile');
});

const WORKER_IMAGE = join(ROOT, 'assets/container-worker');

test("the worker's image is its program alone, run by a user who is not root", () => {
  expect(readdirSync(WORKER_IMAGE).sort()).toEqual(['Dockerfile', 'index.js']);
  const dockerfile = readFileSync(join(WORKER_IMAGE, 'Dockerfile'), 'utf8');
  expect(dockerfile).toMatch(/^ARG BASE_IMAGE=public\.ecr\.aws\/docker\/library\/node:24-slim$/m);
  expect(dockerfile).toMatch(/^USER node$/m);
  // In exec form: a shell in between would keep SIGTERM to itself.
  expect(dockerfile.trimEnd().split('\n').at(-1)).toBe('CMD ["node", "index.js"]');
  expect(dockerfile).toMatch(/^COPY index\.js \.\/$/m);
});

test("the worker's program asks ECS for credentials, and carries no other provider of them", () => {
  const program = readFileSync(join(WORKER_IMAGE, 'index.js'), 'utf8');
  expect(program).toContain('AWS_CONTAINER_CREDENTIALS_RELATIVE_URI');
  expect(program).not.toContain('AWS_WEB_IDENTITY_TOKEN_FILE');
  expect(program).not.toContain('sourceMappingURL');
  expect(statSync(join(WORKER_IMAGE, 'index.js')).size).toBeLessThan(2_000_000);
});

const FUNCTIONS = BUNDLES.filter(({ name, dockerfile }) => name !== 'rehearsal-bootstrap' && dockerfile === undefined);

test.each(FUNCTIONS)('the bundle $name is a Lambda function', ({ name }) => {
  const file = join(ROOT, 'assets', name, 'index.js');
  expect(require(file)).toMatchObject({ handler: expect.any(Function) });
  // What is loaded at each cold start: grows only when somebody means it to.
  expect(statSync(file).size).toBeLessThan(900_000);
});
