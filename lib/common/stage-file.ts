import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Stage } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { laneError } from './errors';

/**
 * Writes generated content into the cloud assembly, under its digest, for an asset to be made of.
 *
 * @returns the folder that holds the file and nothing else
 */
export function stageFile(scope: Construct, digest: string, name: string, content: string | Uint8Array): string {
  const outdir = Stage.of(scope)?.assetOutdir;
  if (outdir === undefined) {
    throw laneError(
      scope,
      'MissingCloudAssembly',
      'generated files have no cloud assembly to go to: expected the construct to stand under an App or a Stage; create its stack in one',
    );
  }
  const directory = join(outdir, '.agent-lanes', digest);
  const file = join(directory, name);
  if (!existsSync(file)) {
    mkdirSync(directory, { recursive: true });
    writeFileSync(file, content);
  }
  return directory;
}
