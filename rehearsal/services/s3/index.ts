import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import type { Principal } from '../../core/principal';
import type { RequiredPermission } from '../../core/service';
import { type Call, type RehearsalService, RestResponse, ServiceError } from '../../core/service';

export interface S3Props {
  /** Says whether a caller may do something, without counting it as a call. */
  readonly judge: (principal: Principal, permission: RequiredPermission) => { readonly allowed: boolean };
}

export interface S3 {
  readonly service: RehearsalService;
  readonly handlers: readonly [];
  /** Puts a file of the cloud assembly where `cdk deploy` would have uploaded it. */
  registerObject(bucket: string, key: string, file: string): void;
  /** File behind an object: for the services that take their code from assets. */
  fileOf(bucket: string, key: string): string | undefined;
  stop(): Promise<void>;
}

interface Input {
  readonly bucket: string;
  readonly key: string;
}

/**
 * S3 as far as functions read assets: GetObject and HeadObject, path style.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
 * Buckets, writes, ranges, versions and conditional reads are not rehearsed.
 */
export function createS3({ judge }: S3Props): S3 {
  const objects = new Map<string, string>();
  const idOf = (bucket: string, key: string) => `${bucket}/${key}`;

  async function read(call: Call): Promise<RestResponse> {
    const { bucket, key } = call.input as unknown as Input;
    const file = objects.get(idOf(bucket, key));
    if (file === undefined) throw missing(call.principal, bucket, key);
    const [body, { mtime }] = await Promise.all([readFile(file), stat(file)]);
    return new RestResponse(
      200,
      {
        'content-type': 'application/octet-stream',
        'content-length': String(body.length),
        etag: `"${createHash('md5').update(body).digest('hex')}"`,
        'last-modified': mtime.toUTCString(),
        'accept-ranges': 'bytes',
      },
      body,
    );
  }

  /** S3 tells only those who may list the bucket that an object is not there. */
  function missing(principal: Principal, bucket: string, key: string): ServiceError {
    return judge(principal, { action: 's3:ListBucket', resource: `arn:aws:s3:::${bucket}` }).allowed
      ? new ServiceError('NoSuchKey', 'The specified key does not exist.', 404, { Key: key })
      : new ServiceError(
          'AccessDenied',
          `Access Denied (there is no object ${key} and s3:ListBucket is not allowed)`,
          403,
        );
  }

  return {
    handlers: [],
    registerObject: (bucket, key, file) => void objects.set(idOf(bucket, key), file),
    fileOf: (bucket, key) => objects.get(idOf(bucket, key)),
    stop: async () => {},
    service: {
      signingName: 's3',
      protocol: 'restXml',
      operations: ['GetObject', 'HeadObject'],
      route: ({ method, path, query, headers }) => {
        const operation = { GET: 'GetObject', HEAD: 'HeadObject' }[method];
        const [, bucket, key] = /^\/([^/]+)\/(.+)$/.exec(path) ?? [];
        const plain = Object.keys(query).every((name) => name === 'x-id') && headers.range === undefined;
        if (operation === undefined || bucket === undefined || key === undefined || !plain) return undefined;
        return { operation, input: { bucket, key } satisfies Input };
      },
      authorise: (call) => {
        const { bucket, key } = call.input as unknown as Input;
        return [{ action: 's3:GetObject', resource: `arn:aws:s3:::${bucket}/${key}` }];
      },
      handle: read,
    },
  };
}
