import { GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { type Json, type PayloadRef, sha256 } from '../../../lib/contract';
import { errorName } from '../aws/aws-errors';

/** A payload is not where its reference says, or is not what it says. Repeating does not help. */
export class PayloadLostError extends Error {
  override readonly name = 'PayloadLostError';
}

/**
 * Values that are too large for an item, in the payload bucket. Written before the record that refers to them, so that no
 * record points to nothing; what no record refers to expires with the rest.
 */
export class PayloadStore {
  readonly #client: S3Client;
  readonly #bucket: string;

  constructor(client: S3Client, bucket: string) {
    this.#client = client;
    this.#bucket = bucket;
  }

  /** @param text the value's JSON */
  async put(key: string, text: string): Promise<PayloadRef> {
    const body = Buffer.from(text);
    await this.#client.send(
      new PutObjectCommand({ Bucket: this.#bucket, Key: key, Body: body, ContentType: 'application/json' }),
    );
    return { key, bytes: body.length, sha256: sha256(body) };
  }

  /** @throws PayloadLostError when it is gone or was changed */
  async get(ref: PayloadRef): Promise<Json> {
    const place = `s3://${this.#bucket}/${ref.key}`;
    let body: Uint8Array | undefined;
    try {
      const { Body } = await this.#client.send(new GetObjectCommand({ Bucket: this.#bucket, Key: ref.key }));
      body = await Body?.transformToByteArray();
    } catch (error) {
      // S3 reports NoSuchKey only to callers that may list the bucket. The functions may, so AccessDenied is a fault to fix
      // (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html).
      if (errorName(error) === 'NoSuchKey') {
        throw new PayloadLostError(`${place} is gone: it has expired, or was deleted`, { cause: error });
      }
      throw error;
    }
    if (body === undefined || sha256(body) !== ref.sha256) {
      throw new PayloadLostError(`${place} is not what was written there (${ref.bytes} bytes, SHA-256 ${ref.sha256})`);
    }
    return JSON.parse(Buffer.from(body).toString('utf8')) as Json;
  }
}
