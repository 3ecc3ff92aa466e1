import type { ResourceHandler } from '../../core/resource';
import { Iam } from './model';
import { managedPolicyHandler, policyHandler, roleHandler } from './resources';

export { Iam, type RoleDefinition } from './model';
export { compilePolicy, sessionArn } from './policy';

export interface IamService {
  readonly iam: Iam;
  readonly handlers: readonly ResourceHandler[];
}

/** IAM has no wire side here: nothing in the library calls it, the template alone makes roles and policies. */
export function createIam(): IamService {
  const iam = new Iam();
  return { iam, handlers: [roleHandler(iam), policyHandler(iam), managedPolicyHandler(iam)] };
}
