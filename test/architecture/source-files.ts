import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

export const ROOT = join(__dirname, '..', '..');

export interface Import {
  /** Importing file, relative to the repository. */
  readonly file: string;
  readonly specifier: string;
}

/** TypeScript sources below a folder, relative to the repository. */
export function sourceFiles(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts') && !name.includes('node_modules'))
    .map((name) => join(folder, name))
    .sort();
}

export function textOf(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

/** Static and dynamic imports, re-exports and requires of a file; type imports included. */
export function importsOf(file: string): Import[] {
  const pattern =
    /(?:^|\n)\s*(?:import|export)\b[^'"`;]*?\bfrom\s+['"]([^'"]+)['"]|(?:^|\n)\s*import\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)|\brequire\(\s*['"]([^'"]+)['"]\s*\)/g;
  return [...textOf(file).matchAll(pattern)].map(([, from, bare, dynamic, required]) => ({
    file,
    specifier: from ?? bare ?? dynamic ?? required ?? '',
  }));
}

/** The file or folder that a relative specifier names, relative to the repository and without ending. */
export function targetOf(found: Import): string {
  return relative(ROOT, resolve(ROOT, dirname(found.file), found.specifier));
}

/** Cycles of a graph, each once, as `a → b → a`. */
export function cyclesOf(edges: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const cycles = new Map<string, string>();
  const finished = new Set<string>();
  const path: string[] = [];
  const visit = (node: string): void => {
    const start = path.indexOf(node);
    if (start >= 0) {
      const cycle = path.slice(start);
      cycles.set([...cycle].sort().join(), [...cycle, node].join(' → '));
      return;
    }
    if (finished.has(node)) {
      return;
    }
    path.push(node);
    for (const next of edges.get(node) ?? []) {
      visit(next);
    }
    path.pop();
    finished.add(node);
  };
  for (const node of edges.keys()) {
    visit(node);
  }
  return [...cycles.values()];
}
