import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const ROOT = join(__dirname, '..', '..');

/** The rooms, and which other rooms each may import. `lib/contract` is a room of its own. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  'lib/contract': [],
  lib: ['lib/contract'],
  lambda: ['lib/contract'],
  rehearsal: ['lambda', 'lib/contract'],
  'bin/commands': ['rehearsal', 'lambda', 'lib/contract'],
  bin: ['bin/commands', 'rehearsal', 'lib', 'examples'],
};

/** Packages that only some rooms may use: constructs never call AWS, the runtime never synthesizes. */
const FORBIDDEN_PACKAGES: Readonly<Record<string, RegExp>> = {
  'lib/contract': /^(aws-cdk-lib|constructs|@aws-sdk|@aws-lambda-powertools|esbuild|dynalite|commander)/,
  lib: /^(@aws-sdk|@aws-lambda-powertools|@anthropic-ai|dynalite|commander)/,
  lambda: /^(aws-cdk-lib|constructs|esbuild|dynalite|commander)/,
  rehearsal: /^(aws-cdk-lib|constructs)/,
};

interface Import {
  readonly file: string;
  readonly specifier: string;
}

function sources(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts') && !name.includes('node_modules'))
    .map((name) => join(folder, name));
}

function imports(file: string): Import[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  const pattern =
    /(?:^|\n)\s*(?:import|export)\b[^'"`;]*?\bfrom\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)|\brequire\(\s*['"]([^'"]+)['"]\s*\)/g;
  return [...text.matchAll(pattern)].map((match) => ({ file, specifier: match[1] ?? match[2] ?? match[3] ?? '' }));
}

function roomOf(path: string): string | undefined {
  const rooms = [...Object.keys(ALLOWED), 'examples'].sort((a, b) => b.length - a.length);
  return rooms.find((room) => path === room || path.startsWith(`${room}/`));
}

const FILES = ['lib', 'lambda', 'rehearsal', 'bin'].flatMap(sources);
const IMPORTS = FILES.flatMap(imports);

/** The file that a relative specifier means, without ending. */
function target(found: Import): string {
  return relative(ROOT, resolve(ROOT, dirname(found.file), found.specifier));
}

test('finds the sources and their imports', () => {
  expect(FILES.length).toBeGreaterThan(50);
  expect(IMPORTS.length).toBeGreaterThan(FILES.length);
});

test('arrows between the rooms point one way', () => {
  const wrong = IMPORTS.filter((found) => found.specifier.startsWith('.')).filter((found) => {
    const from = roomOf(found.file);
    const to = roomOf(target(found));
    return from === undefined || to === undefined || (from !== to && !(ALLOWED[from] ?? []).includes(to));
  });
  expect(wrong).toEqual([]);
});

test('a room uses only the packages that belong to it', () => {
  const wrong = IMPORTS.filter((found) => !found.specifier.startsWith('.')).filter((found) => {
    const room = roomOf(found.file);
    return room !== undefined && FORBIDDEN_PACKAGES[room]?.test(found.specifier) === true;
  });
  expect(wrong).toEqual([]);
});

test('the folders of a room do not import each other in a circle', () => {
  const folderOf = (path: string) => path.split('/').slice(0, 2).join('/');
  const edges = new Map<string, Set<string>>();
  for (const found of IMPORTS.filter(
    ({ specifier, file }) => specifier.startsWith('.') && /^(lib|lambda)\//.test(file),
  )) {
    const from = folderOf(found.file);
    const to = folderOf(target(found));
    if (from !== to && from.split('/')[0] === to.split('/')[0] && from !== 'lib/index.ts') {
      edges.set(from, (edges.get(from) ?? new Set()).add(to));
    }
  }
  const circles: string[] = [];
  const visit = (folder: string, path: readonly string[]): void => {
    if (path.includes(folder)) {
      circles.push([...path.slice(path.indexOf(folder)), folder].join(' → '));
      return;
    }
    for (const next of edges.get(folder) ?? []) {
      visit(next, [...path, folder]);
    }
  };
  for (const folder of edges.keys()) {
    visit(folder, []);
  }
  expect([...new Set(circles)]).toEqual([]);
});
