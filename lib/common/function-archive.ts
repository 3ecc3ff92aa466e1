import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { sha256 } from '../contract/digest';
import { laneError } from './errors';
import { packageFile } from './package-root';

/** A function that was bundled when the library was built. */
export interface FunctionBundle {
  /** Content of `index.js`. */
  readonly code: Uint8Array;
  /** SHA-256 of the code. */
  readonly digest: string;
}

interface ArchiveEntry {
  readonly name: string;
  readonly bytes: number;
}

/** Content of the archive before it is compressed: one line of JSON that lists the functions, then their code. */
export function packArchive(bundles: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const entries = [...bundles].map(([name, code]): ArchiveEntry => ({ name, bytes: code.length }));
  return Buffer.concat([Buffer.from(`${JSON.stringify(entries)}\n`), ...bundles.values()]);
}

/** @returns code by the function's name */
export function unpackArchive(archive: Buffer): ReadonlyMap<string, Uint8Array> {
  const header = archive.indexOf('\n');
  const entries = JSON.parse(archive.toString('utf8', 0, header)) as readonly ArchiveEntry[];
  const bundles = new Map<string, Uint8Array>();
  let start = header + 1;
  for (const { name, bytes } of entries) {
    bundles.set(name, archive.subarray(start, start + bytes));
    start += bytes;
  }
  return bundles;
}

/** Unpacked once in a process: several stacks and stages use the same functions. */
let bundles: ReadonlyMap<string, Uint8Array> | undefined;

/** @throws LaneError when the package does not have the function */
export function functionBundle(name: string): FunctionBundle {
  bundles ??= unpackArchive(brotliDecompressSync(readFileSync(packageFile(join('assets', 'functions.br')))));
  const code = bundles.get(name);
  if (code === undefined) {
    throw laneError(
      undefined,
      'MissingFunctionBundle',
      `no function bundle "${name}": the package has ${[...bundles.keys()].join(', ')}; in a checkout run "npm run build:bundles"`,
    );
  }
  return { code, digest: sha256(code) };
}
