import type { IamPort } from '../../core/ports';
import type { ResourceHandler } from '../../core/resource';
import { repositoryHandler } from './resources';

export interface EcrDeps {
  readonly iam: IamPort;
}

export interface Ecr {
  readonly handlers: readonly ResourceHandler[];
}

/** ECR: repositories of templates. */
export function createEcr({ iam }: EcrDeps): Ecr {
  return { handlers: [repositoryHandler(iam)] };
}
