import type { RehearsalClock } from '../../core/clock';
import type { IamPort } from '../../core/ports';
import type { ResourceHandler } from '../../core/resource';
import type { RehearsalService } from '../../core/service';
import { resourcePolicyHandler, secretHandler } from './handlers';
import { secretsManagerService } from './service';
import { SecretStore } from './store';

export interface SecretsManager {
  readonly service: RehearsalService;
  readonly handlers: readonly ResourceHandler[];
  /** Creates a secret or gives it a new current value, as its owner would before a deployment. Returns its ARN. */
  putSecret(nameOrArn: string, value: string): string;
  stop(): Promise<void>;
}

export function createSecretsManager({
  clock,
  iam,
}: {
  readonly clock: RehearsalClock;
  readonly iam: IamPort;
}): SecretsManager {
  const store = new SecretStore(clock);
  return {
    service: secretsManagerService(store),
    handlers: [secretHandler(store), resourcePolicyHandler(store, iam)],
    putSecret: (nameOrArn, value) => {
      const secret = store.find(nameOrArn);
      if (secret === undefined) return store.create(nameOrArn, value).arn;
      store.put(secret, value);
      return secret.arn;
    },
    stop: async () => {},
  };
}
