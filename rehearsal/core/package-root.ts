import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const LIBRARY = 'cdk-agent-lanes';
const CLI = 'cdk-agent-lanes-cli';

/**
 * Folder of the package that this module belongs to: the installed command line, or the repository when the sources run.
 *
 * @throws Error when the module is in neither
 */
export function packageRoot(): string {
  const found = parentsOf(__dirname).find((folder) => [CLI, LIBRARY].includes(nameOf(folder) ?? ''));
  if (found === undefined) {
    throw new Error(`no folder above ${__dirname} is the package ${CLI}: install it again`);
  }
  return found;
}

/** Folder of the repository, which has the examples and the drills. Undefined for an installed package. */
export function repositoryRoot(): string | undefined {
  return parentsOf(packageRoot()).find(
    (folder) => nameOf(folder) === LIBRARY && existsSync(join(folder, 'examples', 'drill-agent', 'app.ts')),
  );
}

/** The program that loads a handler as Lambda's runtime does: where the package's build, or that of the repository, puts it. */
export function bootstrapProgram(): string {
  const root = packageRoot();
  const places = [join(root, 'dist', 'bootstrap.js'), join(root, 'assets', 'rehearsal-bootstrap', 'index.js')];
  const found = places.find((place) => existsSync(place));
  if (found === undefined) {
    throw new Error(
      `no bootstrap program for Lambda functions: expected ${places.join(' or ')}; in a checkout run "npm run build:bundles", else install the package again`,
    );
  }
  return found;
}

function parentsOf(folder: string): string[] {
  const parent = dirname(folder);
  return parent === folder ? [folder] : [folder, ...parentsOf(parent)];
}

function nameOf(folder: string): string | undefined {
  const file = join(folder, 'package.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { name?: string }).name : undefined;
}
