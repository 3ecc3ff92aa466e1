import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { describeError } from '../../shared/errors';

/**
 * The text of the behavior document that was uploaded as an asset.
 *
 * @throws Error naming the object
 */
export async function readBehaviorAsset(client: S3Client, bucket: string, key: string): Promise<string> {
  try {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    if (Body === undefined) {
      throw new Error('it has no content');
    }
    return await Body.transformToString('utf-8');
  } catch (error) {
    throw new Error(`cannot read the behavior document s3://${bucket}/${key}: ${describeError(error)}`, {
      cause: error,
    });
  }
}
