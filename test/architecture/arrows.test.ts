import { cyclesOf, type Import, importsOf, sourceFiles, targetOf } from './source-files';

/** The rooms, and which other rooms each may import. A file belongs to the room with the longest matching path. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  'lib/contract': [],
  lib: ['lib/contract'],
  'lambda/shared': ['lib/contract'],
  'lambda/runtime': ['lambda/shared', 'lib/contract'],
  'lambda/worker': ['lambda/runtime', 'lambda/shared', 'lib/contract'],
  'lambda/functions': ['lambda/worker', 'lambda/runtime', 'lambda/shared', 'lib/contract'],
  rehearsal: ['lambda/functions', 'lambda/worker', 'lambda/runtime', 'lambda/shared', 'lib/contract'],
  'bin/commands': ['rehearsal', 'lambda/functions', 'lambda/worker', 'lambda/runtime', 'lambda/shared', 'lib/contract'],
  bin: ['bin/commands', 'rehearsal', 'lib', 'examples'],
  examples: [],
};

/** Packages that only some rooms may use: constructs never call AWS, the runtime never synthesizes. */
const FORBIDDEN_PACKAGES: readonly (readonly [string, RegExp])[] = [
  ['lib/contract/', /^(aws-cdk-lib|constructs|@aws-sdk|@aws-lambda-powertools|esbuild|dynalite|commander)/],
  ['lib/', /^(@aws-sdk|@aws-lambda-powertools|@anthropic-ai|dynalite|commander)/],
  ['lambda/', /^(aws-cdk-lib|constructs|esbuild|dynalite|commander)/],
  ['rehearsal/', /^(aws-cdk-lib|constructs)/],
];

const ROOMS = Object.keys(ALLOWED).sort((a, b) => b.length - a.length);

function roomOf(path: string): string | undefined {
  return ROOMS.find((room) => path === room || path.startsWith(`${room}/`));
}

/**
 * Folder of a deployed function, which no other function may import. The worker and the container are one bundle:
 * `functions/worker` packs the programs of both.
 */
function functionOf(path: string): string | undefined {
  const folder = /^lambda\/functions\/[^/]+/.exec(path)?.[0];
  return folder === 'lambda/functions/worker' ? 'lambda/functions/container' : folder;
}

function isAllowed(found: Import): boolean {
  const target = targetOf(found);
  const [from, to] = [roomOf(found.file), roomOf(target)];
  if (from === undefined || to === undefined) {
    return false;
  }
  const [caller, callee] = [functionOf(found.file), functionOf(target)];
  const betweenFunctions = caller !== undefined && callee !== undefined && caller !== callee;
  return !betweenFunctions && (from === to || (ALLOWED[from] ?? []).includes(to));
}

const FILES = ['lib', 'lambda', 'rehearsal', 'bin'].flatMap(sourceFiles);
const IMPORTS = FILES.flatMap(importsOf);

test('finds the sources and their imports', () => {
  expect(FILES.length).toBeGreaterThan(50);
  expect(IMPORTS.length).toBeGreaterThan(FILES.length);
});

test('imports between the rooms point one way, and functions do not import each other', () => {
  expect(IMPORTS.filter(({ specifier }) => specifier.startsWith('.')).filter((found) => !isAllowed(found))).toEqual([]);
});

test.each([
  ['lib/intake/intake.ts', '../../lambda/shared/settings', false],
  ['lambda/shared/settings.ts', '../runtime/agent', false],
  ['lambda/runtime/agent.ts', '../worker/worker', false],
  ['lambda/functions/api/index.ts', '../webhook/deliver', false],
  ['lambda/functions/api/index.ts', '../../shared/settings', true],
  ['lambda/worker/worker.ts', '../../lib/contract/task', true],
  ['lambda/worker/worker.ts', '../../lib/lanes', false],
  ['rehearsal/index.ts', '../lambda/functions/api/index', true],
  ['lambda/shared/settings.ts', '../../rehearsal/index', false],
])('%s may import %s: %p', (file, specifier, allowed) => {
  expect(isAllowed({ file, specifier })).toBe(allowed);
});

test('a room uses only the packages that belong to it', () => {
  const wrong = IMPORTS.filter(({ specifier }) => !specifier.startsWith('.')).filter(({ file, specifier }) =>
    FORBIDDEN_PACKAGES.some(([room, packages]) => file.startsWith(room) && packages.test(specifier)),
  );
  expect(wrong).toEqual([]);
});

test('the folders of a room do not import each other in a cycle', () => {
  const folderOf = (path: string) => path.split('/').slice(0, 2).join('/');
  const edges = new Map<string, Set<string>>();
  for (const found of IMPORTS.filter(
    ({ specifier, file }) => specifier.startsWith('.') && /^(lib|lambda)\//.test(file),
  )) {
    const [from, to] = [folderOf(found.file), folderOf(targetOf(found))];
    if (from !== to && from.split('/')[0] === to.split('/')[0] && from !== 'lib/index.ts') {
      edges.set(from, (edges.get(from) ?? new Set()).add(to));
    }
  }
  expect(cyclesOf(edges)).toEqual([]);
});
