import type { RestRequest } from '../../core/service';
import { CHECKSUM_HEADERS } from './checksums';

export const OBJECT_OPERATIONS = ['GetObject', 'HeadObject', 'PutObject', 'DeleteObject'] as const;
type ObjectOperation = (typeof OBJECT_OPERATIONS)[number];

const OPERATION_OF: Readonly<Record<string, ObjectOperation>> = {
  GET: 'GetObject',
  HEAD: 'HeadObject',
  PUT: 'PutObject',
  DELETE: 'DeleteObject',
};

/** Headers of a PUT that come back with the object. */
export const KEPT_HEADERS = ['cache-control', 'content-disposition', 'content-encoding', 'content-language'] as const;

/** What every request may carry, and what the client's own machinery adds. */
const COMMON = [
  'x-amz-content-sha256',
  'x-amz-date',
  'x-amz-expected-bucket-owner',
  'x-amz-security-token',
  'x-amz-user-agent',
];

/** Headers that mean something, by operation. `*` matches any suffix. */
const UNDERSTOOD: Readonly<Record<ObjectOperation, readonly string[]>> = {
  GetObject: ['x-amz-checksum-mode'],
  HeadObject: ['x-amz-checksum-mode'],
  PutObject: [
    ...CHECKSUM_HEADERS,
    'x-amz-sdk-checksum-algorithm',
    'x-amz-server-side-encryption',
    'x-amz-meta-*',
    'if-none-match',
  ],
  DeleteObject: [],
};

/** Headers that would change what a request means and that are not in the `x-amz-` family. */
const CONDITIONAL = ['range', 'if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since'];

export interface ObjectRequest {
  readonly bucket: string;
  readonly key: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
}

/**
 * The request in path style as an operation on an object. One that uses an unsupported feature gets an unknown
 * operation with the feature in its name, which is then refused.
 */
export function objectRequest({
  method,
  path,
  query,
  headers,
  body,
}: RestRequest): { readonly operation: string; readonly input: Record<string, unknown> } | undefined {
  const operation = OPERATION_OF[method];
  const [, bucket, key] = /^\/([^/]+)\/(.+)$/s.exec(path) ?? [];
  if (operation === undefined || bucket === undefined || key === undefined) return undefined;
  const beyond = [
    ...Object.keys(query).filter((name) => name !== 'x-id'),
    ...Object.keys(headers).filter(
      (name) =>
        (name.startsWith('x-amz-') || CONDITIONAL.includes(name)) &&
        !COMMON.includes(name) &&
        !UNDERSTOOD[operation].some((one) => (one.endsWith('*') ? name.startsWith(one.slice(0, -1)) : name === one)),
    ),
    ...(headers['content-encoding']?.includes('aws-chunked') ? ['a body in chunks'] : []),
  ];
  return {
    operation: beyond.length === 0 ? operation : `${operation} with ${beyond.join(', ')}`,
    input: { bucket, key, headers, body } satisfies ObjectRequest,
  };
}
