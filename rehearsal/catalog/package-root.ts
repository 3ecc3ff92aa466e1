import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Folder of this package: found from source and from dist alike. @throws when it is in no package of that name */
export function packageRoot(): string {
  let folder = __dirname;
  for (;;) {
    const file = join(folder, 'package.json');
    if (existsSync(file) && JSON.parse(readFileSync(file, 'utf8')).name === 'cdk-agent-lanes') {
      return folder;
    }
    if (dirname(folder) === folder) {
      throw new Error(`no folder above ${__dirname} is the package cdk-agent-lanes: install it again`);
    }
    folder = dirname(folder);
  }
}
