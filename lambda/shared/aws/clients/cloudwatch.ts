import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { type ClientTimeouts, clientDefaults } from './defaults';

export function cloudWatchClient(timeouts: ClientTimeouts = {}): CloudWatchClient {
  return new CloudWatchClient(clientDefaults(timeouts));
}
