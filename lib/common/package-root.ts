import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { laneError } from './errors';

const PACKAGE_NAME = 'cdk-agent-lanes';

function isPackageRoot(directory: string): boolean {
  const file = join(directory, 'package.json');
  if (!existsSync(file)) {
    return false;
  }
  const content: unknown = JSON.parse(readFileSync(file, 'utf8'));
  return typeof content === 'object' && content !== null && 'name' in content && content.name === PACKAGE_NAME;
}

/** Folder of this package: the sources run from `lib/`, the published package from `dist/lib/`, so the depth differs. */
export function packageRoot(from: string = __dirname): string {
  for (let directory = from; ; directory = dirname(directory)) {
    if (isPackageRoot(directory)) {
      return directory;
    }
    if (dirname(directory) === directory) {
      throw laneError(
        undefined,
        'MissingPackageRoot',
        `no package.json named "${PACKAGE_NAME}" above ${from}: expected one in the folder that the library was installed to; install the package again instead of copying files out of it`,
      );
    }
  }
}

/**
 * Path of a file that the library's build adds to the package.
 *
 * @param name relative to the package
 * @throws LaneError when the package does not have it
 */
export function packageFile(name: string): string {
  const file = join(packageRoot(), name);
  if (!existsSync(file)) {
    throw laneError(
      undefined,
      'MissingPackageFile',
      `the package has no ${name}: expected ${file}; in a checkout run "npm run build:bundles", else install the package again`,
    );
  }
  return file;
}
