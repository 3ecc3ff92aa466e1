import { readFile, stat } from 'node:fs/promises';
import { etagOf, type StoredObject } from './buckets';

/** The files of cloud assemblies, where `cdk deploy` would have uploaded them. They can be read and not changed. */
export class Assets {
  readonly #files = new Map<string, string>();
  readonly #buckets = new Set<string>();

  register(bucket: string, key: string, file: string): void {
    this.#buckets.add(bucket);
    this.#files.set(`${bucket}/${key}`, file);
  }

  has(bucket: string): boolean {
    return this.#buckets.has(bucket);
  }

  file(bucket: string, key: string): string | undefined {
    return this.#files.get(`${bucket}/${key}`);
  }

  async object(bucket: string, key: string): Promise<StoredObject | undefined> {
    const file = this.file(bucket, key);
    if (file === undefined) return undefined;
    const [body, { mtimeMs }] = await Promise.all([readFile(file), stat(file)]);
    return {
      body,
      contentType: 'application/octet-stream',
      headers: {},
      checksums: {},
      etag: etagOf(body),
      modifiedAt: mtimeMs,
    };
  }
}
