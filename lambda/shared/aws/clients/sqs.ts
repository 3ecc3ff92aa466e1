import { SQSClient } from '@aws-sdk/client-sqs';
import { type ClientTimeouts, clientDefaults } from './defaults';

export function sqsClient(timeouts: ClientTimeouts = {}): SQSClient {
  return new SQSClient(clientDefaults({ requestTimeout: 2_000, ...timeouts }));
}
