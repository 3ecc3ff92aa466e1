import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cyclesOf, importsOf, ROOT, sourceFiles, targetOf } from './source-files';

const FILES = ['lib', 'lambda', 'rehearsal', 'bin', 'bench', 'scripts'].flatMap(sourceFiles);

/** Cycles that are allowed, as the test prints them. Stays empty. */
const ALLOWED: readonly string[] = [];

/** The file that an import means: with its ending, or the index of a folder. */
function resolved(target: string): string | undefined {
  return [`${target}.ts`, join(target, 'index.ts'), target].find(
    (file) => file.endsWith('.ts') && existsSync(join(ROOT, file)),
  );
}

test('no file imports itself through others', () => {
  const edges = new Map(
    FILES.map((file) => [
      file,
      new Set(
        importsOf(file)
          .filter(({ specifier }) => specifier.startsWith('.'))
          .map((found) => resolved(targetOf(found)))
          .filter((target): target is string => target !== undefined),
      ),
    ]),
  );
  expect([...edges.values()].reduce((sum, targets) => sum + targets.size, 0)).toBeGreaterThan(FILES.length);
  expect(cyclesOf(edges).filter((cycle) => !ALLOWED.includes(cycle))).toEqual([]);
});

test('finds a cycle of three files, once', () => {
  const edges = new Map([
    ['a', new Set(['b'])],
    ['b', new Set(['c', 'd'])],
    ['c', new Set(['a'])],
    ['d', new Set<string>()],
  ]);
  expect(cyclesOf(edges)).toEqual(['a → b → c → a']);
});
