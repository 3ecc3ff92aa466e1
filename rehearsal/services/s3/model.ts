import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import type { RehearsalClock } from '../../core/clock';
import { ServiceError } from '../../core/service';

export function bucketArn(bucket: string): string {
  return `arn:aws:s3:::${bucket}`;
}

export function objectArn(bucket: string, key: string): string {
  return `${bucketArn(bucket)}/${key}`;
}

export interface BucketSettings {
  /** Key of the account that new objects are encrypted with; none for the keys of S3 and AWS. */
  readonly kmsKeyArn?: string;
}

/** What a caller put. */
export interface NewObject {
  readonly body: Buffer;
  readonly contentType: string;
  /** Headers that come back as they were given: metadata, encoding, cache control. */
  readonly headers: Readonly<Record<string, string>>;
  /** Header of the checksum → checksum in base64, as given and checked. */
  readonly checksums: Readonly<Record<string, string>>;
}

export interface StoredObject extends NewObject {
  readonly etag: string;
  /** Cloud time. */
  readonly modifiedAt: number;
}

interface Bucket {
  settings: BucketSettings;
  readonly objects: Map<string, StoredObject>;
}

/** The buckets of the stacks, with their objects in memory. */
export class Buckets {
  readonly #clock: RehearsalClock;
  readonly #byName = new Map<string, Bucket>();

  constructor(clock: RehearsalClock) {
    this.#clock = clock;
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  create(name: string, settings: BucketSettings): void {
    this.#byName.set(name, { settings, objects: new Map() });
  }

  /** @throws ServiceError NoSuchBucket */
  change(name: string, settings: BucketSettings): void {
    this.#named(name).settings = settings;
  }

  /** @throws ServiceError BucketNotEmpty: only an empty bucket can be deleted. */
  delete(name: string): void {
    const bucket = this.#byName.get(name);
    if (bucket !== undefined && bucket.objects.size > 0) {
      throw new ServiceError('BucketNotEmpty', 'The bucket you tried to delete is not empty', 409, {
        BucketName: name,
      });
    }
    this.#byName.delete(name);
  }

  names(): readonly string[] {
    return [...this.#byName.keys()];
  }

  /** Deletes every object of a bucket. */
  empty(name: string): void {
    this.#byName.get(name)?.objects.clear();
  }

  settings(name: string): BucketSettings | undefined {
    return this.#byName.get(name)?.settings;
  }

  /** @throws ServiceError NoSuchBucket */
  object(bucket: string, key: string): StoredObject | undefined {
    return this.#named(bucket).objects.get(key);
  }

  /** @throws ServiceError NoSuchBucket */
  put(bucket: string, key: string, object: NewObject): StoredObject {
    const stored = { ...object, etag: etagOf(object.body), modifiedAt: this.#clock.now() };
    this.#named(bucket).objects.set(key, stored);
    return stored;
  }

  /** @throws ServiceError NoSuchBucket */
  remove(bucket: string, key: string): void {
    this.#named(bucket).objects.delete(key);
  }

  /** Keys in a bucket, in the order in which they were first put. */
  keys(bucket: string): readonly string[] {
    return [...(this.#byName.get(bucket)?.objects.keys() ?? [])];
  }

  #named(name: string): Bucket {
    const bucket = this.#byName.get(name);
    if (bucket === undefined) {
      throw new ServiceError('NoSuchBucket', 'The specified bucket does not exist', 404, { BucketName: name });
    }
    return bucket;
  }
}

/** ETag of an object that was put in one piece. */
export function etagOf(body: Buffer): string {
  return `"${createHash('md5').update(body).digest('hex')}"`;
}

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
