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

/** Folder of a prebuilt function bundle. */
export function bundleDirectory(bundle: string): string {
  const directory = join(packageRoot(), 'assets', bundle);
  if (!existsSync(join(directory, 'index.js'))) {
    throw laneError(
      undefined,
      'MissingFunctionBundle',
      `no function bundle "${bundle}": expected ${join('assets', bundle, 'index.js')} in the package; in a checkout run "npm run build:bundles"`,
    );
  }
  return directory;
}
