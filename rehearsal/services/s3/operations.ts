import type { IamPort } from '../../core/ports';
import type { Principal } from '../../core/principal';
import {
  type Call,
  type RehearsalService,
  type RequiredPermission,
  RestResponse,
  ServiceError,
} from '../../core/service';
import { verifyChecksums } from './checksums';
import { type Assets, type Buckets, bucketArn, objectArn, type StoredObject } from './model';
import { KEPT_HEADERS, OBJECT_OPERATIONS, type ObjectRequest, objectRequest } from './object-request';

/** IAM, with an evaluation that is not counted as a call. */
export interface S3Iam extends IamPort {
  evaluate(principal: Principal, permission: RequiredPermission): { readonly allowed: boolean };
}

/**
 * S3 as far as functions use it: PutObject, GetObject, HeadObject and DeleteObject of whole objects, path style, in
 * buckets of the stack and for the assets of the assembly.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
 * Lists, ranges, versions, multipart uploads and conditional reads are not rehearsed.
 */
export function s3Operations(buckets: Buckets, assets: Assets, iam: S3Iam): RehearsalService {
  const existing = async ({ bucket, key }: ObjectRequest) =>
    assets.has(bucket) ? assets.object(bucket, key) : buckets.object(bucket, key);

  async function read(call: Call): Promise<RestResponse> {
    const request = requestOf(call);
    const object = await existing(request);
    if (object === undefined) throw missing(call.principal, request);
    const wantsSums = request.headers['x-amz-checksum-mode'] === 'ENABLED';
    return new RestResponse(
      200,
      {
        'content-type': object.contentType,
        'content-length': String(object.body.length),
        etag: object.etag,
        'last-modified': new Date(object.modifiedAt).toUTCString(),
        'accept-ranges': 'bytes',
        ...object.headers,
        ...(wantsSums ? object.checksums : {}),
      },
      object.body,
    );
  }

  async function put(call: Call): Promise<RestResponse> {
    const { bucket, key, headers, body } = requestOf(call);
    const checksums = verifyChecksums(headers, body);
    const precondition = headers['if-none-match'];
    if (precondition !== undefined && precondition !== '*') {
      throw new ServiceError('NotImplemented', `If-None-Match: got "${precondition}", S3 takes only *`, 501);
    }
    if (precondition !== undefined && buckets.object(bucket, key) !== undefined) {
      const message = 'At least one of the pre-conditions you specified did not hold';
      throw new ServiceError('PreconditionFailed', message, 412, { Condition: 'If-None-Match' });
    }
    const { etag } = buckets.put(bucket, key, {
      body,
      contentType: headers['content-type'] ?? 'binary/octet-stream',
      headers: keptHeaders(headers),
      checksums,
    });
    return new RestResponse(200, { etag, ...checksums }, '');
  }

  /** S3 reports a missing object only to callers that may list the bucket. */
  function missing(principal: Principal, { bucket, key }: ObjectRequest): ServiceError {
    return iam.evaluate(principal, { action: 's3:ListBucket', resource: bucketArn(bucket) }).allowed
      ? new ServiceError('NoSuchKey', 'The specified key does not exist.', 404, { Key: key })
      : new ServiceError(
          'AccessDenied',
          `Access Denied (there is no object ${key} and s3:ListBucket is not allowed)`,
          403,
        );
  }

  return {
    signingName: 's3',
    protocol: 'restXml',
    operations: OBJECT_OPERATIONS,
    route: objectRequest,
    authorize: (call) => permissionsOf(call, buckets.settings(requestOf(call).bucket)?.kmsKeyArn),
    handle: async (call) => {
      switch (call.operation) {
        case 'PutObject':
          return put(call);
        case 'DeleteObject': {
          const { bucket, key } = requestOf(call);
          buckets.remove(bucket, key);
          return new RestResponse(204, {}, '');
        }
        default:
          return read(call);
      }
    },
  };
}

function requestOf(call: Call): ObjectRequest {
  return call.input as unknown as ObjectRequest;
}

/**
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html and
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html#require-sse-kms
 */
function permissionsOf(call: Call, kmsKeyArn: string | undefined): readonly RequiredPermission[] {
  const { bucket, key } = requestOf(call);
  const resource = objectArn(bucket, key);
  const withKey = (action: string): readonly RequiredPermission[] =>
    kmsKeyArn === undefined ? [] : [{ action, resource: kmsKeyArn }];
  switch (call.operation) {
    case 'PutObject':
      return [{ action: 's3:PutObject', resource }, ...withKey('kms:GenerateDataKey')];
    case 'DeleteObject':
      return [{ action: 's3:DeleteObject', resource }];
    default:
      return [{ action: 's3:GetObject', resource }, ...withKey('kms:Decrypt')];
  }
}

function keptHeaders(headers: ObjectRequest['headers']): StoredObject['headers'] {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value !== undefined && (name.startsWith('x-amz-meta-') || KEPT_HEADERS.some((kept) => kept === name))
        ? [[name, value]]
        : [],
    ),
  );
}
