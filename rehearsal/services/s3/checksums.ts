import { createHash } from 'node:crypto';
import { ServiceError } from '../../core/service';

/**
 * Checksums that a PUT may carry, by header.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
 */
const CHECKSUMS: Readonly<Record<string, (body: Buffer) => string>> = {
  'x-amz-checksum-crc32': (body) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(crc32(body));
    return bytes.toString('base64');
  },
  'x-amz-checksum-sha1': (body) => createHash('sha1').update(body).digest('base64'),
  'x-amz-checksum-sha256': (body) => createHash('sha256').update(body).digest('base64'),
};

export const CHECKSUM_HEADERS: readonly string[] = Object.keys(CHECKSUMS);

/**
 * The checksums that came with a body.
 * @throws ServiceError BadDigest, XAmzContentSHA256Mismatch if one is not the body's.
 */
export function verifyChecksums(
  headers: Readonly<Record<string, string | undefined>>,
  body: Buffer,
): Readonly<Record<string, string>> {
  const declared = headers['x-amz-content-sha256'];
  if (declared !== undefined && /^[0-9a-f]{64}$/.test(declared)) {
    if (createHash('sha256').update(body).digest('hex') !== declared) {
      throw new ServiceError(
        'XAmzContentSHA256Mismatch',
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
      );
    }
  }
  const sums: Record<string, string> = {};
  for (const [header, compute] of Object.entries(CHECKSUMS)) {
    const given = headers[header];
    if (given === undefined) continue;
    if (given !== compute(body)) {
      const name = header.slice('x-amz-checksum-'.length).toUpperCase();
      throw new ServiceError('BadDigest', `The ${name} you specified did not match the calculated checksum.`);
    }
    sums[header] = given;
  }
  return sums;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value >>> 0;
});

function crc32(body: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of body) crc = (CRC_TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
