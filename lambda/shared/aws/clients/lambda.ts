import { LambdaClient } from '@aws-sdk/client-lambda';
import { type ClientTimeouts, clientDefaults } from './defaults';

export function lambdaClient(timeouts: ClientTimeouts = {}): LambdaClient {
  return new LambdaClient(clientDefaults(timeouts));
}
