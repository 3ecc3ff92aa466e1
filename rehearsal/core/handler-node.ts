import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The Node.js that runs handlers and containers. */
export interface HandlerNode {
  /** Absolute path of the program. */
  readonly program: string;
  /** Without a `v`. */
  readonly version: string;
}

/** Major version of the runtime that the library's functions have by default. */
const LAMBDA_MAJOR = 24;

let found: HandlerNode | undefined;

/**
 * Lambda's version of Node.js where there is one: the one that runs the rehearsal, or that of the package
 * `node-<platform>-<architecture>` in the project. Otherwise the one that runs the rehearsal.
 */
export function handlerNode(): HandlerNode {
  found ??= majorOf(process.versions.node) === LAMBDA_MAJOR ? OWN : (installedNode() ?? OWN);
  return found;
}

const OWN: HandlerNode = { program: process.execPath, version: process.versions.node };

export function majorOf(version: string): number {
  return Number.parseInt(version, 10);
}

/** `Runtime` of Lambda functions for a version of Node.js, for example `nodejs24.x`. */
export function runtimeOf(version: string): string {
  return `nodejs${majorOf(version)}.x`;
}

function installedNode(): HandlerNode | undefined {
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  for (const folder of [process.cwd(), __dirname]) {
    try {
      const load = createRequire(join(folder, 'package.json'));
      const manifest = load.resolve(`node-${platform}-${process.arch}/package.json`);
      const { version, bin } = load(manifest) as { version: string; bin: { node: string } };
      if (majorOf(version) === LAMBDA_MAJOR) {
        return { program: join(dirname(manifest), bin.node), version };
      }
    } catch {
      // Not installed there.
    }
  }
  return undefined;
}
