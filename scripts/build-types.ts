/**
 * Compiles what users import to `dist/`, and keeps only what the entry points of the package reach: the constructs, and the
 * types of the agent's runtime. What runs in AWS is bundled (see build-bundles.ts), so its modules are not shipped.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const ROOT = join(__dirname, '..');
const DIST = join(ROOT, 'dist');

/** Entry points, and whether their JavaScript is shipped: that of the worker is its bundle. */
const ENTRIES: readonly { readonly name: string; readonly code: boolean }[] = [
  { name: 'lib/index', code: true },
  { name: 'lambda/runtime/index', code: true },
  { name: 'lambda/worker/index', code: false },
  { name: 'lambda/functions/container/index', code: false },
];

const SPECIFIERS = {
  '.js': /\brequire\("([^"]+)"\)/g,
  '.d.ts': /\b(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g,
} as const;
type Extension = keyof typeof SPECIFIERS;

/** Adds the files that a file imports, itself included. */
function addReachable(file: string, extension: Extension, reached: Set<string>): void {
  if (reached.has(file)) {
    return;
  }
  reached.add(file);
  for (const [, specifier = ''] of readFileSync(file, 'utf8').matchAll(SPECIFIERS[extension])) {
    const target = resolve(dirname(file), specifier);
    const found = [`${target}${extension}`, join(target, `index${extension}`)].find((candidate) =>
      existsSync(candidate),
    );
    if (specifier.startsWith('.') && found !== undefined) {
      addReachable(found, extension, reached);
    }
  }
}

function prune(folder: string, kept: ReadonlySet<string>): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) {
      prune(path, kept);
    } else if (!kept.has(path)) {
      rmSync(path);
    }
  }
  if (readdirSync(folder).length === 0) {
    rmdirSync(folder);
  }
}

function main(): number {
  rmSync(DIST, { recursive: true, force: true });
  const compiler = require.resolve('typescript/bin/tsc');
  const { status } = spawnSync(process.execPath, [compiler, '-p', join(ROOT, 'tsconfig.build.json')], {
    stdio: 'inherit',
  });
  if (status !== 0) {
    return status ?? 1;
  }
  const reached = new Set<string>();
  for (const { name, code } of ENTRIES) {
    addReachable(join(DIST, `${name}.d.ts`), '.d.ts', reached);
    if (code) {
      addReachable(join(DIST, `${name}.js`), '.js', reached);
    }
  }
  prune(DIST, reached);
  return 0;
}

process.exitCode = main();
