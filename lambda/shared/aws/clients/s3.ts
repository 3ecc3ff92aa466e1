import { S3Client } from '@aws-sdk/client-s3';
import { type ClientTimeouts, clientDefaults } from './defaults';

export function s3Client(timeouts: ClientTimeouts = {}): S3Client {
  return new S3Client(clientDefaults(timeouts));
}
