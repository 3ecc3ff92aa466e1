import type { RehearsalClock } from '../../core/clock';
import type { ResourceHandler } from '../../core/resource';
import type { RehearsalService } from '../../core/service';
import { Assets, Buckets } from './model';
import { type S3Iam, s3Operations } from './operations';
import { BucketHandler, BucketPolicyHandler } from './resources';

export interface S3Deps {
  readonly clock: RehearsalClock;
  readonly iam: S3Iam;
}

export interface S3 {
  readonly service: RehearsalService;
  readonly handlers: readonly ResourceHandler[];
  /** Puts a file of the cloud assembly where `cdk deploy` would have uploaded it. */
  registerObject(bucket: string, key: string, file: string): void;
  /** File behind an object: for the services that take their code from assets. */
  fileOf(bucket: string, key: string): string | undefined;
  /** Buckets of stacks, assets left out. */
  bucketNames(): readonly string[];
  /** Keys of the objects in a bucket of a stack, in the order in which they were first put. */
  keys(bucket: string): readonly string[];
  /** Deletes every object of a bucket. */
  empty(bucket: string): void;
}

/** S3: buckets of templates, and the assets of the cloud assembly. */
export function createS3({ clock, iam }: S3Deps): S3 {
  const assets = new Assets();
  const buckets = new Buckets(clock);
  return {
    service: s3Operations(buckets, assets, iam),
    handlers: [new BucketHandler(buckets), new BucketPolicyHandler(buckets, iam)],
    registerObject: (bucket, key, file) => assets.register(bucket, key, file),
    fileOf: (bucket, key) => assets.file(bucket, key),
    bucketNames: () => buckets.names(),
    keys: (bucket) => buckets.keys(bucket),
    empty: (bucket) => buckets.empty(bucket),
  };
}
