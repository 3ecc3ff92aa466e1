import type { RehearsalClock } from '../../core/clock';
import type { IamPort, LambdaPort } from '../../core/ports';
import type { ResourceHandler } from '../../core/resource';
import type { RehearsalService } from '../../core/service';
import { SecretStore } from './model';
import { secretsManagerOperations } from './operations';
import { resourcePolicyHandler, rotationScheduleHandler, secretHandler } from './resources';
import { Rotations } from './rotations';

export interface SecretsManager {
  readonly service: RehearsalService;
  readonly handlers: readonly ResourceHandler[];
  /** Creates a secret or gives it a new current value, as its owner would before a deployment. Returns its ARN. */
  putSecret(nameOrArn: string, value: string): string;
  /** Resolves when no rotation is in progress. */
  rotationsSettled(): Promise<void>;
  stop(): Promise<void>;
}

export function createSecretsManager({
  clock,
  iam,
  lambda = { invoke: () => Promise.reject(new Error('there are no functions')) },
}: {
  readonly clock: RehearsalClock;
  readonly iam: IamPort;
  /** Invokes the functions that rotate. @default there are none */
  readonly lambda?: Pick<LambdaPort, 'invoke'>;
}): SecretsManager {
  const store = new SecretStore(clock);
  const rotations = new Rotations({ clock, iam, lambda, store });
  return {
    service: secretsManagerOperations(store, rotations),
    handlers: [secretHandler(store), resourcePolicyHandler(store, iam), rotationScheduleHandler(store, rotations)],
    putSecret: (nameOrArn, value) => {
      const secret = store.find(nameOrArn);
      if (secret === undefined) return store.create(nameOrArn, value).arn;
      store.put(secret, value);
      return secret.arn;
    },
    rotationsSettled: () => rotations.settled(),
    stop: async () => rotations.stop(),
  };
}
