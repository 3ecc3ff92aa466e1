import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { type ClientTimeouts, clientDefaults } from './defaults';

export function secretsManagerClient(timeouts: ClientTimeouts = {}): SecretsManagerClient {
  return new SecretsManagerClient(clientDefaults(timeouts));
}
