import { basename } from 'node:path';
import { sourceFiles, textOf } from './source-files';

const FILES = ['lib', 'lambda'].flatMap(sourceFiles).filter((file) => basename(file) !== 'index.ts');

/** Names that may be declared twice. Stays empty: a search for a name must find one meaning. */
const ALLOWED: readonly string[] = [];

/** Exported declarations; `export { x } from` and `export * from` declare nothing. */
const DECLARATION =
  /^export\s+(?:declare\s+)?(?:default\s+)?(?:abstract\s+)?(?:async\s+)?(?:const\s+enum|class|interface|type|enum|const|let|function\*?|namespace)\s+([A-Za-z_$][\w$]*)/gm;

function declaredIn(text: string): Set<string> {
  return new Set([...text.matchAll(DECLARATION)].map(([, name = '']) => name));
}

function duplicatesOf(declarations: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const files = new Map<string, string[]>();
  for (const [file, names] of declarations) {
    for (const name of names) {
      files.set(name, [...(files.get(name) ?? []), file]);
    }
  }
  return [...files]
    .filter(([name, places]) => places.length > 1 && !ALLOWED.includes(name))
    .map(([name, places]) => `${name}: ${places.join(', ')}`)
    .sort();
}

test('each exported name is declared in one file', () => {
  const declarations = new Map(FILES.map((file) => [file, declaredIn(textOf(file))]));
  expect([...declarations.values()].reduce((sum, names) => sum + names.size, 0)).toBeGreaterThan(FILES.length);
  expect(duplicatesOf(declarations)).toEqual([]);
});

test('finds a name that two files declare, and counts no re-export and no merged declaration', () => {
  const declarations = new Map([
    ['a.ts', declaredIn('export const LEASE_MS = 1;\nexport type { Lease } from "./b";\nexport { run } from "./b";')],
    ['b.ts', declaredIn('export async function run() {}\nexport interface Lease {}\nexport const LEASE_MS = 2;')],
    ['c.ts', declaredIn('export const Mode = {} as const;\nexport type Mode = keyof typeof Mode;')],
  ]);
  expect(duplicatesOf(declarations)).toEqual(['LEASE_MS: a.ts, b.ts']);
});
