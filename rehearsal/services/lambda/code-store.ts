import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { cp, lstat, mkdir, readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ResourceFailure } from '../../core/resource';

/** A function's code, unpacked. */
export interface FunctionCode {
  readonly directory: string;
  /** SHA-256 over the content in base64, as `CodeSha256` gives it. */
  readonly sha256: string;
  readonly bytes: number;
}

/**
 * Keeps a copy of every function's code outside of the cloud assembly: a published version stays what it was when the
 * assembly is written again, and a module that was not bundled is not found in the project's `node_modules` by accident,
 * as on AWS. The AWS SDK, which the Node.js runtime includes, is available.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/lambda-nodejs.html
 */
export class CodeStore {
  readonly #workspace: string;
  readonly #assetPath: (bucket: string, key: string) => string | undefined;
  readonly #copies = new Map<string, Promise<FunctionCode>>();

  /** Folder with the modules that the runtime includes (`NODE_PATH`). */
  readonly runtimeModules: string;

  constructor(workspace: string, assetPath: (bucket: string, key: string) => string | undefined) {
    this.#workspace = workspace;
    this.#assetPath = assetPath;
    this.runtimeModules = join(workspace, 'runtime', 'node_modules');
    mkdirSync(this.runtimeModules, { recursive: true });
    const installed = dirname(dirname(dirname(require.resolve('@aws-sdk/client-sqs/package.json'))));
    for (const scope of ['@aws-sdk', '@smithy']) {
      if (!existsSync(join(this.runtimeModules, scope))) {
        symlinkSync(join(installed, scope), join(this.runtimeModules, scope));
      }
    }
  }

  /** @throws ResourceFailure when the asset is not a folder of this assembly */
  async fromAsset(bucket: string, key: string): Promise<FunctionCode> {
    const path = this.#assetPath(bucket, key);
    if (path === undefined) {
      throw new ResourceFailure(`code s3://${bucket}/${key}: got no asset of that key in the cloud assembly`);
    }
    if (!(await lstat(path)).isDirectory()) {
      throw new ResourceFailure(`code s3://${bucket}/${key}: got the file ${path}, expected an asset that is a folder`);
    }
    const files = await contentOf(path);
    return this.#keep(files, (target) => cp(path, target, { recursive: true }));
  }

  /** Code written into the template: one file, `index.js`. */
  fromText(text: string): Promise<FunctionCode> {
    const content = Buffer.from(text);
    return this.#keep([{ path: 'index.js', content }], async (target) => {
      await mkdir(target, { recursive: true });
      await writeFile(join(target, 'index.js'), content);
    });
  }

  #keep(files: readonly CodeFile[], copy: (target: string) => Promise<void>): Promise<FunctionCode> {
    const hash = createHash('sha256');
    for (const { path, content } of files) {
      hash.update(`${path}\0${content.length}\0`).update(content);
    }
    const digest = hash.digest();
    const id = digest.toString('hex');
    let kept = this.#copies.get(id);
    if (kept === undefined) {
      const directory = join(this.#workspace, 'code', id.slice(0, 32));
      const bytes = files.reduce((sum, file) => sum + file.content.length, 0);
      kept = copy(directory).then(() => ({ directory, sha256: digest.toString('base64'), bytes }));
      this.#copies.set(id, kept);
    }
    return kept;
  }
}

interface CodeFile {
  readonly path: string;
  readonly content: Buffer;
}

/** Every file below the folder, in the order of their paths. */
async function contentOf(folder: string, prefix = ''): Promise<readonly CodeFile[]> {
  const entries = await readdir(join(folder, prefix), { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  const found: CodeFile[] = [];
  for (const entry of entries) {
    const path = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
    if (entry.isDirectory()) {
      found.push(...(await contentOf(folder, path)));
    } else if (entry.isSymbolicLink()) {
      found.push({ path, content: Buffer.from(await readlink(join(folder, path))) });
    } else {
      found.push({ path, content: await readFile(join(folder, path)) });
    }
  }
  return found;
}
