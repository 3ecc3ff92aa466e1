import { CodeDeployClient } from '@aws-sdk/client-codedeploy';
import { type ClientTimeouts, clientDefaults } from './defaults';

export function codeDeployClient(timeouts: ClientTimeouts = {}): CodeDeployClient {
  return new CodeDeployClient(clientDefaults(timeouts));
}
