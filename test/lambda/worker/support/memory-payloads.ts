import { S3Client } from '@aws-sdk/client-s3';
import { PayloadLostError, PayloadStore } from '../../../../lambda/shared/tasks/payload-store';
import { type Json, type PayloadRef, sha256 } from '../../../../lib/contract';

/** A payload bucket in memory. */
export class MemoryPayloads extends PayloadStore {
  readonly objects = new Map<string, string>();
  /** What the next calls fail with. */
  failure: Error | undefined;

  constructor() {
    super(new S3Client({ region: 'us-east-1' }), 'payloads');
  }

  override async put(key: string, text: string): Promise<PayloadRef> {
    this.#fail();
    this.objects.set(key, text);
    return { key, bytes: Buffer.byteLength(text), sha256: sha256(text) };
  }

  override async get({ key, sha256: digest }: PayloadRef): Promise<Json> {
    this.#fail();
    const text = this.objects.get(key);
    if (text === undefined || sha256(text) !== digest) {
      throw new PayloadLostError(`s3://payloads/${key} is gone: it has expired, or was deleted`);
    }
    return JSON.parse(text);
  }

  #fail(): void {
    if (this.failure !== undefined) {
      throw this.failure;
    }
  }
}
